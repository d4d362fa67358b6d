"""The Mikulski Archive for Space Telescopes (MAST): Hubble and JWST previews and abstracts."""
