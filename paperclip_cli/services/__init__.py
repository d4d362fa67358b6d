"""Services besides the archives: the name resolver, and the environment that paperclip runs in."""
