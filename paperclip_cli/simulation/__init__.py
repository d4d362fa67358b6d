"""A simulated sky: an archive of proposals and previews for demonstrations and tests.

It needs no network and exercises the whole pipeline. A model trained on it tells nothing about
real data.
"""
