# One image for the worker, the gateway and the command line.
ARG PYTHON_VERSION=3.11

FROM python:${PYTHON_VERSION}-slim AS packages
RUN python -m venv /venv
COPY requirements.lock /
RUN /venv/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r /requirements.lock

FROM python:${PYTHON_VERSION}-slim
RUN useradd --uid 10001 --create-home ringmaster \
 && install --directory --owner ringmaster --group ringmaster /data /data/artifacts
COPY --from=packages /venv /venv
ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    RINGMASTER_DATA_DIR=/data
WORKDIR /app
COPY worker.py starter.py ./
COPY runtime runtime
COPY campaign campaign
COPY store store
COPY migrations migrations
COPY activities activities
COPY workflows workflows
COPY gateway gateway
COPY simulator simulator
COPY commands commands
USER ringmaster
CMD ["python", "worker.py"]
