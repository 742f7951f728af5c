"""Whether a disk that DVC writes to is full: DVC itself may then speak of cache link types or of a database.

Knows nothing of Prefect.
"""

import shutil
from pathlib import Path

from dvc.config import Config, ConfigError
from dvc.dirs import site_cache_dir

LITTLE = 1 << 20  # bytes; the files for which DVC found no room are smaller


def full_disks() -> list[str]:
    """One sentence for each place that DVC writes to, and that has less than `LITTLE` left; empty where all have room."""
    try:
        config = Config.from_cwd()
    except ConfigError:
        return []  # DVC has said so itself
    cache = config.get("cache", {}).get("dir") or ".dvc/cache"
    places = [Path.cwd(), Path(cache), Path(site_cache_dir(config.get("core", {}).get("site_cache_dir")))]
    free = {place: shutil.disk_usage(place).free for place in places if place.exists()}
    return [f"no space is left for {place}: {left} bytes" for place, left in free.items() if left < LITTLE]
