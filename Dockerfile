# Three images from one file, each of nothing but Python, Cairn and the libraries that they ask for: no shell, no
# package manager, no compiler. `lexical` has no torch, `cpu` and `cuda` bring the model that comes along.
#
#     docker build --target cpu --tag cairn:cpu .
#
# A mirror of PyPI: --secret id=pip.conf,src=FILE. Another base, in the same form: --build-arg PYTHON=NAME@sha256:…;
# it needs Python 3.11 to 3.13 with `venv`, and apt. `docs/deploy.md` tells how to move the digest.
ARG PYTHON=docker.io/library/python:3.13-slim-bookworm@sha256:01f42367a0a94ad4bc17111776fd66e3500c1d87c15bbd6055b7371d39c124fb

# --- what builds, and stays behind ---------------------------------------------------------------------------

FROM ${PYTHON} AS tools
# hadolint ignore=DL3008 # only `strip` is taken from it, and nothing of it is in the result
RUN apt-get update -qq \
    && apt-get install -y -qq --no-install-recommends binutils \
    && rm -rf /var/lib/apt/lists/*
ENV PIP_CONFIG_FILE=/run/secrets/pip.conf PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 PIP_NO_COMPILE=1 \
    PIP_ONLY_BINARY=:all: PIP_PROGRESS_BAR=off PIP_CACHE_DIR=/var/cache/pip
WORKDIR /build
COPY deploy/image/build.lock .
RUN --mount=type=secret,id=pip.conf --mount=type=cache,target=/var/cache/pip \
    python3 -m venv /tools \
    && /tools/bin/pip install -qq --no-deps --require-hashes --requirement build.lock

FROM tools AS wheel
COPY pyproject.toml README.md LICENSE ./
COPY rubric rubric
COPY service service
COPY trainer_client trainer_client
RUN SOURCE_DATE_EPOCH=315532800 /tools/bin/hatchling build --target wheel --directory /wheels

FROM tools AS lexical-parts
COPY deploy/image/lexical.lock .
RUN --mount=type=secret,id=pip.conf --mount=type=cache,target=/var/cache/pip \
    python3 -m venv --without-pip /opt/cairn \
    && /tools/bin/pip --python /opt/cairn/bin/python install -qq --no-deps --require-hashes \
        --requirement lexical.lock

FROM lexical-parts AS model-parts
COPY deploy/image/model.lock .
RUN --mount=type=secret,id=pip.conf --mount=type=cache,target=/var/cache/pip \
    /tools/bin/pip --python /opt/cairn/bin/python install -qq --no-deps --require-hashes \
        --requirement model.lock

# pip finds this build where its configuration names the index of PyTorch for CPUs; uv knows that index by itself.
FROM model-parts AS cpu-parts
COPY deploy/image/torch-cpu.lock .
RUN --mount=type=secret,id=pip.conf --mount=type=cache,target=/var/cache/pip \
    /tools/bin/pip --python /opt/cairn/bin/python install -qq --no-deps --require-hashes \
        --requirement torch-cpu.lock \
    || /tools/bin/uv pip install --quiet --no-cache --python /opt/cairn/bin/python --no-deps --require-hashes \
        --torch-backend cpu --requirement torch-cpu.lock

FROM model-parts AS cuda-parts
COPY deploy/image/torch-cuda.lock .
RUN --mount=type=secret,id=pip.conf --mount=type=cache,target=/var/cache/pip \
    /tools/bin/pip --python /opt/cairn/bin/python install -qq --no-deps --require-hashes \
        --requirement torch-cuda.lock

# --- what is taken along -------------------------------------------------------------------------------------

FROM lexical-parts AS lexical-root
COPY --from=wheel /wheels /wheels
COPY deploy/image/slim.py .
COPY deploy/image/health.py /opt/cairn/health.py
RUN /tools/bin/pip --python /opt/cairn/bin/python install -qq --no-deps --no-index /wheels/*.whl \
    && python3 slim.py /opt/cairn /image

FROM cpu-parts AS cpu-root
COPY --from=wheel /wheels /wheels
COPY deploy/image/slim.py .
COPY deploy/image/health.py /opt/cairn/health.py
RUN /tools/bin/pip --python /opt/cairn/bin/python install -qq --no-deps --no-index /wheels/*.whl \
    && python3 slim.py /opt/cairn /image

FROM cuda-parts AS cuda-root
COPY --from=wheel /wheels /wheels
COPY deploy/image/slim.py .
COPY deploy/image/health.py /opt/cairn/health.py
RUN /tools/bin/pip --python /opt/cairn/bin/python install -qq --no-deps --no-index /wheels/*.whl \
    && python3 slim.py /opt/cairn /image

# --- the images ----------------------------------------------------------------------------------------------

FROM scratch AS plain
ARG VERSION=unknown REVISION=unknown
LABEL org.opencontainers.image.title="Cairn" \
      org.opencontainers.image.description="Entity-level rubric rewards over HTTP for GRPO training" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# All that is written goes to /tmp, which may be a tmpfs: the root can be mounted read-only.
ENV PATH=/opt/cairn/bin:/usr/local/bin:/usr/bin HOME=/tmp LANG=C.UTF-8 \
    PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 CAIRN_HOST=0.0.0.0 CAIRN_PORT=8000
EXPOSE 8000
USER 65532:65532
WORKDIR /tmp
HEALTHCHECK --interval=10s --timeout=3s --start-period=90s CMD ["python", "/opt/cairn/health.py"]
ENTRYPOINT ["/opt/cairn/bin/cairn"]
CMD ["serve"]

FROM plain AS cuda
COPY --from=cuda-root /image /
ENV CAIRN_EMBEDDING_MODEL=builtin NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility

FROM plain AS lexical
COPY --from=lexical-root /image /

# The last one is what `docker build` makes without a target.
FROM plain AS cpu
COPY --from=cpu-root /image /
ENV CAIRN_EMBEDDING_MODEL=builtin
