"""From a warehouse folder to declarations: the only place that knows YAML."""
