"""The verbs: each stage is a function of the plan and the ports; none imports another."""
