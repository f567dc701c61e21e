"""What is said and drawn of pictures held out."""

from app.models import run_record
from app.models.outcome import outcome
from app.views.main_window import MainWindow
from core.project.layout import Project
from core.protocol.events import Finished, HeldOutMeasured, RunStarted, StepDone
from tests.gui.conftest import train_page
from tests.gui.fake_worker import FakeWorker
from tests.gui.made_runs import started, tell

STEP = {"loss": 0.5, "lr": 1e-4, "grad_norm": 1.0, "seconds": 0.1, "seconds_left": 9.0}


def measured(step: int, loss: float, words: str = "It is still learning.") -> HeldOutMeasured:
    return HeldOutMeasured(step=step, losses=[loss, loss], best_step=step, verdict=words)


def test_a_record_keeps_them_in_order_and_measures_anew_after_a_resume(project: Project) -> None:
    run = project.new_run(project.config())
    tell(run, started(run), *(StepDone(step=n, **STEP) for n in (1, 2, 3)))
    tell(run, measured(0, 1.0), measured(2, 0.9), measured(3, 0.8), measured(2, 0.7, "Done."))
    record = run_record.read(run)
    assert [(s, e.loss) for s, e in record.held_out.items()] == [(0, 1.0), (2, 0.7)]
    assert record.verdict == "Done."
    assert "Done." not in outcome(record)  # nothing of it is saved
    (run.checkpoints / "step000002").mkdir(parents=True)
    (run.checkpoints / "step000002" / "state.json").touch()
    assert outcome(record).endswith("All up to step 2 is saved. Done.")


def test_the_chart_shows_their_line(faked: MainWindow, project: Project) -> None:
    faked.show_page("Train")
    faked.studio.actions["train"].trigger()
    run = project.new_run(project.config())
    worker = FakeWorker.made[-1]
    worker.tell(RunStarted(run=run.root.name, steps=9, first_step=1, trainable=1, total=2,
                           pictures=3, device="CPU"))  # fmt: skip
    stage = train_page(faked).stage
    worker.tell(StepDone(step=1, **STEP))
    assert stage._chart_name.text() == "Loss"
    worker.tell(measured(0, 1.0))
    worker.tell(measured(1, 0.9, "It overfits since step 1."))
    assert stage._chart_name.text() == "Loss, and that of pictures held out"
    assert stage.chart.toolTip() == "It overfits since step 1."
    stage.chart._draw()
    assert stage.chart._points is not None
    x, y = stage.chart._points.getData()
    assert (list(x), list(y)) == ([0, 1], [1.0, 0.9])
    worker.tell(Finished(stopped=True))
