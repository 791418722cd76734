"""The plugin's settings on Snakemake's command line."""

# Without postponed annotations: Snakemake calls the types.

from dataclasses import dataclass, field

from snakemake_interface_logger_plugins.settings import LogHandlerSettingsBase


@dataclass
class LogHandlerSettings(LogHandlerSettingsBase):
    """The settings, as Snakemake finds them."""

    records: str = field(
        default="",
        metadata={"help": "Folder for the records of runs whose executor keeps none."},
    )
