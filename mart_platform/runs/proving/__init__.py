"""Whether anybody can learn what they may not see: asked of lakes that differ in nothing else."""
