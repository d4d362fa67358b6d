"""The Mikulski Archive for Space Telescopes: Hubble and JWST previews and abstracts."""
