"""Flows: when and where stages run, and what a person sees. No tensors.

Importing this package, before Prefect is imported, turns off the telemetry of everything that is started from here.
"""

import os

TELEMETRY_OFF = {
    "DO_NOT_TRACK": "1",  # Prefect's SDK
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DVC_NO_ANALYTICS": "1",
    "GX_ANALYTICS_ENABLED": "false",
    "RAY_USAGE_STATS_ENABLED": "0",
    "HF_HUB_DISABLE_TELEMETRY": "1",
}

os.environ.update(TELEMETRY_OFF)

# A run without a server starts one for itself; on a busy machine its first start, with a new database, takes longer
# than Prefect's own limit of twenty seconds.
os.environ.setdefault("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "180")
