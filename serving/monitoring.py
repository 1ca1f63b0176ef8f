"""The monitoring configuration file: whether and where metrics are offered to Prometheus."""

from google.protobuf import descriptor_pb2, descriptor_pool, message, message_factory

from serving import errors, text_protos

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
  config = _monitoring_config_class()()
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


def _monitoring_config_class() -> type[message.Message]:
  """MonitoringConfig as tensorflow_serving/config/monitoring_config.proto declares it; PyPI's package
  lacks it."""
  field = descriptor_pb2.FieldDescriptorProto
  file = descriptor_pb2.FileDescriptorProto(
    name="tensorflow_serving/config/monitoring_config.proto",
    package="tensorflow.serving",
    syntax="proto3",
  )
  prometheus = file.message_type.add(name="PrometheusConfig")
  optional = field.LABEL_OPTIONAL
  prometheus.field.add(name="enable", number=1, type=field.TYPE_BOOL, label=optional)
  prometheus.field.add(name="path", number=2, type=field.TYPE_STRING, label=optional)
  monitoring = file.message_type.add(name="MonitoringConfig")
  monitoring.field.add(
    name="prometheus_config",
    number=1,
    type=field.TYPE_MESSAGE,
    type_name=".tensorflow.serving.PrometheusConfig",
    label=optional,
  )
  pool = descriptor_pool.DescriptorPool()
  pool.Add(file)
  found = pool.FindMessageTypeByName("tensorflow.serving.MonitoringConfig")
  return message_factory.GetMessageClass(found)
