"""gRPC server reflection: tools such as grpcurl learn the methods and messages from the server."""

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool
from grpc_reflection.v1alpha import reflection
from tensorflow_serving.apis import (
  classification_pb2,
  get_model_metadata_pb2,
  get_model_status_pb2,
  inference_pb2,
  model_management_pb2,
  predict_pb2,
  regression_pb2,
)

_PACKAGE = "tensorflow.serving"

# File and service -> method -> the file and the name of its messages, without "Request" and "Response".
_SERVICES = {
  ("model_service", "ModelService"): {
    "GetModelStatus": (get_model_status_pb2, "GetModelStatus"),
    "HandleReloadConfigRequest": (model_management_pb2, "ReloadConfig"),
  },
  ("prediction_service", "PredictionService"): {
    "Classify": (classification_pb2, "Classification"),
    "Regress": (regression_pb2, "Regression"),
    "Predict": (predict_pb2, "Predict"),
    "MultiInference": (inference_pb2, "MultiInference"),
    "GetModelMetadata": (get_model_metadata_pb2, "GetModelMetadata"),
  },
}


def add(server: grpc.Server) -> None:
  """Adds the service grpc.reflection.v1alpha.ServerReflection to a server that is not started yet."""
  for (file, service), methods in _SERVICES.items():
    _declare(file, service, methods)
  names = [f"{_PACKAGE}.{service}" for _, service in _SERVICES]
  reflection.enable_server_reflection([*names, reflection.SERVICE_NAME], server)


def _declare(file: str, service: str, methods: dict) -> None:
  """Does what importing the package's own module of that name should: that fails with today's protobuf."""
  proto = descriptor_pb2.FileDescriptorProto(
    name=f"tensorflow_serving/apis/{file}.proto",
    package=_PACKAGE,
    syntax="proto3",
    dependency=[module.DESCRIPTOR.name for module, _ in methods.values()],
  )
  declared = proto.service.add(name=service)
  for method, (_, messages) in methods.items():
    declared.method.add(
      name=method,
      input_type=f".{_PACKAGE}.{messages}Request",
      output_type=f".{_PACKAGE}.{messages}Response",
    )
  descriptor_pool.Default().Add(proto)
