# The project as a container image, for trainers in Docker Compose and Kubernetes (docs/production.md):
#   docker build -t tf-taskology .
FROM python:3.11-slim
WORKDIR /opt/tf_taskology
COPY requirements.lock .
# Build tools first, from the lock file too, so that source distributions are built with them.
RUN sed -n '/^\(packaging\|setuptools\|wheel\)==/,/# via/p' requirements.lock > /tmp/build_tools.lock \
    && pip install --no-cache-dir --require-hashes -r /tmp/build_tools.lock \
    && pip install --no-cache-dir --require-hashes --no-build-isolation -r requirements.lock
COPY tf_taskology tf_taskology
COPY serving serving
COPY gin gin
ENV PYTHONPATH=/opt/tf_taskology PYTHONUNBUFFERED=1 TF_CPP_MIN_LOG_LEVEL=3
ENTRYPOINT ["python", "-m"]
CMD ["tf_taskology.collective", "--help"]
