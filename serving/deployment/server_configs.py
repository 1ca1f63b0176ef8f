"""TensorFlow Serving's own configuration files, as text protocol buffers."""

from collections.abc import Sequence

from serving.deployment import rollout

# Images in a batch, at least; and in a request, at most.
_LEAST_BATCH, _LARGEST_REQUEST = 32, 1000


def models(made: rollout.Rollout, modules: Sequence[str], root: str | None = None) -> str:
  """A ModelServerConfig.

  Args:
    made: the deployment.
    modules: which to serve.
    root: in place of the run's folder.
  """
  entries = "".join(
    "  config {\n"
    f'    name: "{module}"\n'
    f'    base_path: "{made.base_path(module, root)}"\n'
    '    model_platform: "tensorflow"\n'
    "    model_version_policy { latest { num_versions: 1 } }\n"
    "  }\n"
    for module in modules
  )
  return f"model_config_list {{\n{entries}}}\n"


def batching(made: rollout.Rollout) -> str:
  """BatchingParameters: requests never wait for others, but those that wait anyhow run together."""
  threads = max(amounts.server_threads for amounts in made.amounts.values())
  # A trainer's request is a whole batch already.
  batch = max(_LEAST_BATCH, made.collective.largest_request)
  return (
    "# Requests for one signature run together; larger ones than a batch are run in parts. Images of several sizes at\n"
    "# once are refused: deploy with --nobatching for clients that send such.\n"
    f"max_batch_size {{ value: {max(batch, _LARGEST_REQUEST)} }}\n"
    "enable_large_batch_splitting { value: true }\n"
    f"max_execution_batch_size {{ value: {batch} }}\n"
    "batch_timeout_micros { value: 0 }\n"
    f"num_batch_threads {{ value: {threads} }}\n"
    "max_enqueued_batches { value: 1000 }\n"
  )


def monitoring() -> str:
  """MonitoringConfig: metrics for Prometheus on the REST port."""
  return f'prometheus_config {{ enable: true path: "{rollout.METRICS_PATH}" }}\n'
