"""The monitoring configuration file: whether and where metrics are offered to Prometheus."""

from serving import errors, missing_protos, text_protos

DEFAULT_PATH = "/monitoring/prometheus/metrics"


def read(path: str) -> str | None:
  """Reads a MonitoringConfig, such as `prometheus_config { enable: true path: "/metrics" }`.

  Args:
    path: a file in text form.

  Returns:
    The path of the URL that answers with metrics; None if the file does not enable it.

  Raises:
    errors.StatusError: INVALID_ARGUMENT if it does not parse, NOT_FOUND for no file.
  """
  config = missing_protos.MonitoringConfig()
  text_protos.read(path, config)
  if not config.prometheus_config.enable:
    return None
  url_path = config.prometheus_config.path or DEFAULT_PATH
  if not url_path.startswith("/"):
    raise errors.StatusError(
      "INVALID_ARGUMENT",
      f"{path}: prometheus_config.path is {url_path!r}, but a URL's path begins with /",
    )
  return url_path
