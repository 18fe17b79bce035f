"""mart_platform: data marts as products, built on Dagster."""
