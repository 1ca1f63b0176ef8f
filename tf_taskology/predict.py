r"""Predicts for images or point clouds with a served module, or with one in an export folder; writes pictures and arrays.

  ./bazelw run //tf_taskology:predict -- --images=/data/frames --module=depth --server=127.0.0.1:8500 --output_dir=/data/out
  ./bazelw run //tf_taskology:predict -- --images=/data/frames --export_dir=/data/run1/exports/depth --output_dir=/data/out
  ./bazelw run //tf_taskology:predict -- --points=/data/velodyne --sensor_height=1.73 \
      --export_dir=/data/run3/exports/detection --output_dir=/data/out

JPEG files go to the model as they are, other images are decoded first. Models of motion get each image with the next one
of its folder, in the order of the names' numbers. Detectors get point clouds, .bin (float32) or .npy, and answer boxes. Files that cannot be read are left out and
listed at the end; then the exit code is 1.
"""

import sys

from absl import app, flags

from tf_taskology.datasets.point_clouds import point_files
from tf_taskology.peers import transport
from tf_taskology.prediction import (
  cloud_predictor,
  exported_model,
  image_files,
  model as model_lib,
  output_kind,
  predictor,
  progress,
  served_model,
  writer as writer_lib,
)
from tf_taskology.training import program, startup

_IMAGES = flags.DEFINE_multi_string(
  "images", [], 'An image, a folder with images below it, or a pattern such as "frames/*.jpg". May be repeated.'
)  # fmt: skip
_POINTS = flags.DEFINE_multi_string(
  "points", [], 'A point cloud (.bin or .npy), a folder with some below it, or a pattern. May be repeated.'
)  # fmt: skip
_POINT_COLUMNS = flags.DEFINE_integer(
  "point_columns", 4, "Numbers of a point in .bin files, of which the first three are x, y, z.",
  lower_bound=3,
)  # fmt: skip
_SENSOR_HEIGHT = flags.DEFINE_float(
  "sensor_height", 0.0, "Metres of the sensor above the ground, where z of the points is 0 at the sensor."
)  # fmt: skip
_OUTPUT_DIR = flags.DEFINE_string("output_dir", None, "Folder for predictions.")
_MODULE = flags.DEFINE_string("module", None, "Name of the served module, e.g. depth.")
_SERVER = flags.DEFINE_string(
  "server", None, "Its model servers: host:port, or replicas, host:port,host:port."
)
_EXPORT_DIR = flags.DEFINE_string(
  "export_dir", None, "In place of a server: a module's export folder (newest version), or one version's."
)  # fmt: skip
_SIGNATURE = flags.DEFINE_string(
  "signature", None, "Signature to call; default serving_jpeg for JPEG files and serving_default."
)
_ARRAYS = flags.DEFINE_enum(
  "arrays", "npy", writer_lib.ARRAYS, "npy: a file for each output. npz: one for each image."
)
_PICTURES = flags.DEFINE_bool("pictures", True, "Write PNG pictures.")
_DEPTH_RANGE = flags.DEFINE_list(
  "depth_range",
  None,
  "near,far of the colour scale of depth in metres; default each picture's own.",
)
_BATCH_SIZE = flags.DEFINE_integer("batch_size", 8, "Images in a request.", lower_bound=1)
_IN_FLIGHT = flags.DEFINE_integer("in_flight", 2, "Requests at a time.", lower_bound=1)
_DEADLINE_SECS = flags.DEFINE_float(
  "deadline_secs", 60.0, "Limit of one request.", lower_bound=0.001
)
_TLS_ROOT_CERTIFICATES = flags.DEFINE_string(
  "tls_root_certificates", None, "PEM file with the authorities to trust: connect with TLS."
)
_TLS_CLIENT_CERTIFICATE = flags.DEFINE_string(
  "tls_client_certificate", None, "PEM file with the own certificate, for servers that ask for it."
)
_TLS_CLIENT_KEY = flags.DEFINE_string("tls_client_key", None, "PEM file with its private key.")
_TLS_SERVER_NAME = flags.DEFINE_string(
  "tls_server_name", None, "Name in the server's certificate, if it differs from the address."
)


def _tls() -> transport.Tls | None:
  given = (_TLS_ROOT_CERTIFICATES, _TLS_CLIENT_CERTIFICATE, _TLS_CLIENT_KEY, _TLS_SERVER_NAME)
  values = [flag.value for flag in given]
  return transport.Tls(*values) if any(values) else None


def _model() -> model_lib.Model:
  if (_SERVER.value is None) == (_EXPORT_DIR.value is None):
    raise program.UsageError("Give either --server (and --module) or --export_dir.")
  if _EXPORT_DIR.value is not None:
    return exported_model.ExportedModel(_EXPORT_DIR.value)
  if not _MODULE.value:
    raise program.UsageError("--server needs --module=<name of the module>, e.g. --module=depth.")
  targets = program.parse_addresses("--server", _SERVER.value)
  retries = transport.Retries(deadline_secs=_DEADLINE_SECS.value)
  return served_model.ServedModel(_MODULE.value, targets, _tls(), retries)


def _depth_range() -> output_kind.Range | None:
  if _DEPTH_RANGE.value is None:
    return None
  try:
    near, far = (float(word) for word in _DEPTH_RANGE.value)
  except ValueError as error:
    raise program.UsageError(
      f"--depth_range must be near,far in metres. Received: {','.join(_DEPTH_RANGE.value)!r}."
    ) from error
  if not near < far:
    raise program.UsageError(f"--depth_range must have near < far. Received: {near},{far}.")
  return output_kind.Range(near, far)


def _files() -> list[image_files.ImageFile]:
  if not _POINTS.value:
    return image_files.find(_IMAGES.value, exclude=_OUTPUT_DIR.value)
  if _IMAGES.value:
    raise program.UsageError("Give --images or --points, not both.")
  return image_files.find(_POINTS.value, _OUTPUT_DIR.value, point_files.ENDINGS, "points")


def _predict_images(model, choice, images, depth_range, report):
  kinds = output_kind.kinds(choice.outputs)
  print(f"{model.title} answers {output_kind.listed(kinds)}.")
  writer = writer_lib.Writer(_OUTPUT_DIR.value, kinds, _ARRAYS.value, _PICTURES.value, depth_range)
  options = predictor.Options(_BATCH_SIZE.value, _IN_FLIGHT.value)
  summary = predictor.predict(model, choice, images, writer, options, report)
  writer.close()
  return summary


def _predict_points(model, signature, clouds, report):
  cloud_predictor.check(model, signature)
  print(f"{model.title} answers boxes.")
  point_size = signature.inputs["points"].shape[2]
  reader = cloud_predictor.Reader(point_size, _POINT_COLUMNS.value, _SENSOR_HEIGHT.value)
  writer = cloud_predictor.Writer(_OUTPUT_DIR.value, _ARRAYS.value != "none", _PICTURES.value)
  size = _BATCH_SIZE.value
  summary = cloud_predictor.predict(model, signature, clouds, reader, writer, size, report)
  writer.close()
  return summary


def main(argv):
  if len(argv) > 1:
    raise app.UsageError(f"Unexpected arguments: {argv[1:]}.")
  with program.exit_codes():
    depth_range = _depth_range()
    files = _files()
    model = _model()
    choice = model_lib.choose(model, _SIGNATURE.value)
    if (choice.points is not None) != bool(_POINTS.value):
      raise program.UsageError(
        f"{model.title} takes {'point clouds: give --points' if choice.points else 'images: give --images'}."
      )
    if choice.takes_pairs:
      files = image_files.paired(files)
    shown = progress.Progress(len(files), "sweeps" if choice.points else "images", sys.stdout)
    report = lambda summary: shown.update(summary.done, summary.note())
    if choice.points:
      summary = _predict_points(model, choice.points, files, report)
    else:
      summary = _predict_images(model, choice, files, depth_range, report)
    shown.end(summary.done, summary.note())
    model.close()
  for reason in list(summary.failures.values())[:10]:
    print(reason, file=sys.stderr)
  print(f"Written to {_OUTPUT_DIR.value}.")
  sys.exit(1 if summary.failures else 0)


if __name__ == "__main__":
  flags.mark_flag_as_required("output_dir")
  startup.run(main)
