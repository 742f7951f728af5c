# An image that runs the pipeline in a checkout that is mounted into it; docs/operations.md says how a Docker work pool
# does that. The code comes with the checkout: DVC must see the very files that it hashes.
FROM python:3.11-slim

# tini reaps what a killed stage leaves behind: DVC takes a zombie for a process that still holds its lock.
RUN apt-get update \
 && apt-get install --yes --no-install-recommends git tini \
 && rm -rf /var/lib/apt/lists/*

WORKDIR /build
COPY pyproject.toml requirements.lock README.md LICENSE ./
COPY mintmark ./mintmark
RUN python -m pip install --no-cache-dir --constraint requirements.lock ".[pipeline,docker]" \
 && python -m pip uninstall --yes mintmark \
 && git config --system --add safe.directory '*'

ENV DO_NOT_TRACK=1 \
    DVC_NO_ANALYTICS=1 \
    GX_ANALYTICS_ENABLED=false \
    PREFECT_SERVER_ANALYTICS_ENABLED=false

WORKDIR /checkout
ENTRYPOINT ["tini", "--"]
CMD ["python", "-m", "flows.pipeline"]
