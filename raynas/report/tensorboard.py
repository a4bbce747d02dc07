"""TensorBoard event files, written with the `tensorboard` package alone: no torch in the driver.

One run of the whole search (`search`: the incumbent, the counts, by trial) and one per trial with its curves and its
hyperparameters: every answer flattened, and the final metrics, so that the HParams tab can filter and sort. A trial's
file is written when the trial ends, from what was recorded, so a resumed search leaves no duplicate points.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.hparams import api_pb2, plugin_data_pb2
from tensorboard.plugins.hparams.metadata import (
    PLUGIN_DATA_VERSION,
    PLUGIN_NAME,
    SESSION_END_INFO_TAG,
    SESSION_START_INFO_TAG,
)
from tensorboard.summary.writer.record_writer import RecordWriter

from raynas.records import FAILED, Trial, usable

FOLDER = "tensorboard"


class TensorBoardWriter:
    """A listener of the loop.

    Args:
        folder: of the run.
        score: name of the first objective's metric.
        maximise: whether more of it is better.
    """

    def __init__(self, folder: Path, score: str, *, maximise: bool) -> None:
        self.folder = folder / FOLDER
        self.score = score
        self.maximise = maximise
        self.ended = self.failed = self.stopped = 0
        self.epochs = 0.0
        self.best: float | None = None
        self._search: _EventFile | None = None

    def __call__(self, event: str, trial: Trial) -> None:
        """Writes a trial that ended."""
        if event != "ended":
            return
        if self._search is None:
            # A resumed search writes its points again, from the ledger, into one fresh file.
            for old in (self.folder / "search").glob("events.out.*"):
                old.unlink()
            self._search = _EventFile(self.folder / "search")
        self.ended += 1
        self.failed += trial.status == FAILED
        self.epochs += trial.budget
        if trial.score is not None and (self.best is None or trial.score > self.best):
            self.best = trial.score
        points = {"search/epochs_trained": self.epochs, "search/failed": float(self.failed)}
        if self.best is not None:
            points[f"search/best_{self.score}"] = self.best if self.maximise else -self.best
        if trial.score is not None:
            points[f"search/{self.score}"] = trial.score if self.maximise else -trial.score
        self._search.scalars(points, self.ended)
        self._search.flush()
        self._write_trial(trial)

    def close(self) -> None:
        """Closes the search's own file."""
        if self._search:
            self._search.close()

    def _write_trial(self, trial: Trial) -> None:
        folder = self.folder / f"trial-{trial.id:05d}-{trial.architecture.key[:8]}"
        for old in folder.glob("events.out.*"):
            old.unlink()
        file = _EventFile(folder)
        file.hparams(f"trial-{trial.id:05d}", trial.architecture.answers, trial.status != FAILED)
        for budget, metrics in trial.measurements:
            file.scalars({f"trial/{name}": value for name, value in metrics.items()}, round(budget))
        file.close()


class _EventFile:
    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file = (folder / f"events.out.tfevents.{time.time_ns()}.raynas").open("wb")
        self._records = RecordWriter(self._file)
        self._write(Event(wall_time=time.time(), file_version="brain.Event:2"))

    def scalars(self, points: Mapping[str, float], step: int) -> None:
        values = [Summary.Value(tag=tag, simple_value=value) for tag, value in points.items() if usable(value)]
        self._write(Event(wall_time=time.time(), step=step, summary=Summary(value=values)))

    def hparams(self, group: str, answers: Mapping[str, object], good: bool) -> None:
        """The HParams plug-in's session start and end."""
        start = plugin_data_pb2.SessionStartInfo(group_name=group, start_time_secs=time.time())
        for address, value in answers.items():
            if isinstance(value, bool):
                start.hparams[address].bool_value = value
            elif isinstance(value, int | float):
                start.hparams[address].number_value = value
            else:
                start.hparams[address].string_value = str(value)
        status = api_pb2.STATUS_SUCCESS if good else api_pb2.STATUS_FAILURE
        end = plugin_data_pb2.SessionEndInfo(status=status, end_time_secs=time.time())
        self._plugin(
            [
                (SESSION_START_INFO_TAG, plugin_data_pb2.HParamsPluginData(session_start_info=start)),
                (SESSION_END_INFO_TAG, plugin_data_pb2.HParamsPluginData(session_end_info=end)),
            ]
        )

    def _plugin(self, contents: Iterable[tuple[str, plugin_data_pb2.HParamsPluginData]]) -> None:
        summary = Summary()
        for tag, content in contents:
            content.version = PLUGIN_DATA_VERSION
            value = summary.value.add(tag=tag)
            value.metadata.plugin_data.plugin_name = PLUGIN_NAME
            value.metadata.plugin_data.content = content.SerializeToString()
        self._write(Event(wall_time=time.time(), summary=summary))

    def _write(self, event: Event) -> None:
        self._records.write(event.SerializeToString())

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        self._file.close()
