"""paperclip: search telescope archives in plain language (PAPERCLIP, arXiv 2403.08851).

The names below are the Python API: one function for each command. A module is imported when one of
its names is first used.
"""

__version__ = "0.1.0"

_MODULES = {
    "Check": "report",
    "Hit": "records",
    "Hits": "api.hits",
    "Index": "api.search",
    "Label": "api.model",
    "MissingStage": "errors",
    "Model": "api.model",
    "PaperclipError": "errors",
    "Progress": "progress",
    "Report": "report",
    "UsageError": "errors",
    "benchmark": "api.stages",
    "build_dataset": "api.stages",
    "cite": "api.stages",
    "describe": "api.stages",
    "doctor": "api.stages",
    "evaluate": "api.stages",
    "export_index": "api.stages",
    "export_summaries": "api.stages",
    "fetch": "api.stages",
    "get": "api.stages",
    "import_index": "api.stages",
    "import_summaries": "api.stages",
    "index": "api.stages",
    "index_status": "api.stages",
    "load_model": "api.model",
    "merge_indexes": "api.stages",
    "open_index": "api.search",
    "publish": "api.stages",
    "pull": "api.stages",
    "query": "api.search",
    "summarize": "api.stages",
    "train": "api.stages",
}
__all__ = [*_MODULES]


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    found = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = found  # so that this function is asked only once
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
