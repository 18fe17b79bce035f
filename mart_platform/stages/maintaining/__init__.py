"""Maintaining: the lake stays small and quick, and nothing is removed that anybody may still need.

``compacting`` joins small files, ``keeping`` says which files somebody needs and ``vacuuming`` removes the
others, ``retiring`` finds the intervals that a mart keeps no longer, ``downsampling`` and ``archiving`` say
what becomes of them, ``measuring_storage`` says what all of it takes.
"""
