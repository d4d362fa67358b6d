"""MAST, the archive of Hubble and JWST: astroquery asks, our own downloader fetches."""
