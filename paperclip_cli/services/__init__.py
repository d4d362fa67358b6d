"""Small services beside the archives: name resolvers, SAMP, the environment that paperclip runs in."""
