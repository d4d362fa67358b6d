from paperclip_cli.api.stages import build_dataset as build_dataset
from paperclip_cli.api.stages import cite as cite
from paperclip_cli.api.stages import describe as describe
from paperclip_cli.api.stages import doctor as doctor
from paperclip_cli.api.stages import evaluate as evaluate
from paperclip_cli.api.stages import export_index as export_index
from paperclip_cli.api.stages import export_summaries as export_summaries
from paperclip_cli.api.stages import fetch as fetch
from paperclip_cli.api.stages import get as get
from paperclip_cli.api.stages import import_index as import_index
from paperclip_cli.api.stages import import_summaries as import_summaries
from paperclip_cli.api.stages import index as index
from paperclip_cli.api.stages import index_status as index_status
from paperclip_cli.api.stages import summarize as summarize
from paperclip_cli.api.stages import train as train
from paperclip_cli.errors import MissingStage as MissingStage
from paperclip_cli.errors import PaperclipError as PaperclipError
from paperclip_cli.errors import UsageError as UsageError
from paperclip_cli.progress import Progress as Progress
from paperclip_cli.report import Check as Check
from paperclip_cli.report import Report as Report

__version__: str
