"""Stand-ins for the servers that paperclip talks to: real HTTP servers on loopback.

MAST (`server`, in a process of its own), language models (`llm`) and the Hugging Face Hub (`hub`)
answer and fail as the real ones do.
"""
