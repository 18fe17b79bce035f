"""The plan as Dagster assets, checks, jobs, schedules and sensors: the only part that speaks Dagster."""
