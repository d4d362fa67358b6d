"""A simulated sky: an archive of proposals and previews that needs no network, for demonstrations and tests.

It exercises the pipeline. What a model learns from it says nothing about real data.
"""
