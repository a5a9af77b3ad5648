"""The official Neuroscout client, pyns 0.5.1, against the sandbox: the tutorial's calls, and the rest of what it offers."""

import gc
import gzip
import io
import json
import tarfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from contract.sdk_site import Running
from flyball.sandbox import Scenario

with warnings.catch_warnings():
    warnings.simplefilter(
        "ignore"
    )  # pyns is compiled here on a fresh machine, with escapes that Python advises against
    import pyns

# pyns leaves files and sessions to the collector, and uses what newer Pythons advise against.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

TABLE = "onset\tduration\tgrapes\tapples\tbananas\n0\t1\t1\t0\t3\n2\t1\t0\tn/a\t4\n"
DESCRIPTIONS = {
    "grapes": "instances of grapes manually coded",
    "apples": "instances of apples manually coded",
    "bananas": "instances of bananas manually coded",
}


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    """A sandbox in a thread."""
    site = Running(Scenario.named("lab", projects=[], launches=[], gears=[])).start()
    yield site
    site.stop()


@pytest.fixture
def site(running: Running, monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    """The lab's data anew; look-ups by name, which pyns sends to its default address, come here, too.

    What pyns leaves open is collected at the end, while its warnings are still let pass.
    """
    monkeypatch.delenv("NEUROSCOUT_USER", raising=False)
    monkeypatch.delenv("NEUROSCOUT_PASSWORD", raising=False)
    monkeypatch.setattr("pyns.api.API_BASE_URL", running.sandbox.neuroscout)
    yield running.fresh()
    gc.collect()


def signed_in(site: Running, number: int = 0) -> Any:
    """The client of one of the two users."""
    user = site.sandbox.scout_users[number]
    return pyns.Neuroscout(user["email"], user["password"], api_base_url=site.sandbox.neuroscout)


@pytest.fixture
def neuroscout(site: Running) -> Any:
    """The client of the first user."""
    return signed_in(site)


def simple(neuroscout: Any, name: str = "simple", **more: Any) -> Any:
    """An analysis of one subject."""
    given = {"dataset_name": "Life", "predictor_names": ["rmse", "speech"], "subjects": ["rid000001"], **more}
    return neuroscout.analyses.create_analysis(name=name, **given)


def compiled(site: Running, analysis: Any) -> dict[str, Any]:
    """How compiling ended."""
    assert analysis.compile() == {"status": "PENDING", "traceback": ""}
    site.later(60)
    status: dict[str, Any] = analysis.get_status()
    return status


def test_the_tutorial(site: Running, neuroscout: Any, tmp_path: Path) -> None:
    """Every call of the tutorial, in its order, as it is written there."""
    found = neuroscout.analyses.get(name="speech")[-1]
    assert {k: found[k] for k in ("dataset_id", "hash_id", "status", "user")} == {
        "dataset_id": 30,
        "hash_id": "52546",
        "status": "PASSED",
        "user": "adelavega",
    }
    public = neuroscout.analyses.get_analysis("52546")
    assert (public.hash_id, public.predictors, public.user) == ("52546", [40344], "adelavega")

    analysis = neuroscout.analyses.create_analysis(
        dataset_name="Life",
        name="My new analysis!",
        predictor_names=["rmse", "FramewiseDisplacement"],
        subject=["rid000001", "rid000005"],
    )
    assert len(analysis.runs) == 24, "the tutorial's `subject` is no parameter: all subjects are in"
    my_analysis = neuroscout.analyses.get_analysis(analysis.hash_id)
    my_analysis.predictors = [40344]
    my_analysis.push()
    my_analysis.pull()
    assert my_analysis.predictors == [40344]

    raiders1 = neuroscout.runs.get(dataset_id=10, number=1)[0:3]
    raiders2 = neuroscout.runs.get(dataset_id=10, number=2)[0:3]
    runs = [[p["id"] for p in raiders1], [p["id"] for p in raiders2]]
    event_files = [str(tmp_path / "food_raiders1.tsv"), str(tmp_path / "food_raiders2.tsv")]
    for name in event_files:
        Path(name).write_text(TABLE)
    collection = neuroscout.predictors.create_collection(
        collection_name="raiders food", dataset_id=11, runs=runs, event_files=event_files, descriptions=DESCRIPTIONS
    )
    assert (collection["status"], collection["predictors"]) == ("PENDING", [])
    site.later(10)
    collection = neuroscout.predictors.get_collection(collection["id"])
    assert collection["status"] == "OK"
    assert {p["name"]: p["description"] for p in collection["predictors"]} == DESCRIPTIONS
    assert {p["dataset_id"] for p in collection["predictors"]} == {11}, "silently wrong, as on the real server"


def test_an_analysis_from_draft_to_bundle(site: Running, neuroscout: Any, tmp_path: Path) -> None:
    """Create, read in all forms, change, compile, and unpack the bundle."""
    analysis = simple(neuroscout, hrf_variables=["speech"], dummy_contrasts="hrf")
    assert analysis.get_status() == {"status": "DRAFT", "traceback": ""}
    assert {p["name"] for p in analysis.get_full()["predictors"]} == {"rmse", "speech"}
    assert analysis.get_resources()["dataset_name"] == "Life"
    analysis.pull()
    analysis.name, analysis.description = "renamed", "with words"
    analysis.push()
    assert neuroscout.analyses.get_analysis(analysis.hash_id).description == "with words"
    with pytest.raises(requests.HTTPError, match="Try compiling"):
        analysis.get_bundle()
    assert compiled(site, analysis) == {"status": "PASSED", "traceback": ""}
    analysis.get_bundle(str(tmp_path / "bundle.tar.gz"))
    with tarfile.open(tmp_path / "bundle.tar.gz") as archive:
        names = archive.getnames()
        model = json.load(archive.extractfile("model.json") or io.BytesIO())
    assert model["Steps"][0]["Model"]["X"] == ["rmse", "speech"]
    assert "events/rmse/sub-rid000001_task-life_acq-374vol_run-1_events.tsv" in names
    mine = neuroscout._get("user", sub_route="myanalyses")
    assert [a["status"] for a in mine if a["hash_id"] == analysis.hash_id] == ["PASSED"]


def test_after_passing(site: Running, neuroscout: Any) -> None:
    """Edits vanish without an error, deleting and filling are refused, a clone is free, compiling starts anew."""
    analysis = simple(neuroscout)
    compiled(site, analysis)
    analysis.pull()
    analysis.predictors, analysis.description = [], "new"
    analysis.push()
    assert analysis.predictors
    assert analysis.description == "new"
    for act in (analysis.delete, analysis.fill):
        with pytest.raises(requests.HTTPError, match="not editable"):
            act()
    clone = analysis.clone()
    assert (clone.parent_id, clone.status, clone.predictors) == (analysis.hash_id, "DRAFT", analysis.predictors)
    assert clone.delete() == {}
    with pytest.raises(requests.HTTPError, match="404"):
        clone.pull()
    assert analysis.compile(build=False)["status"] == "PENDING"
    site.later(60)
    assert analysis.get_status()["status"] == "PASSED"


def test_clones_for_another_dataset(site: Running, neuroscout: Any) -> None:
    """Runs and predictors are those of the other dataset; names that it lacks leave the model."""
    analysis = simple(neuroscout, predictor_names=["rmse", "vibrance"])
    compiled(site, analysis)
    analysis.pull()
    clone = analysis.clone(dataset_id=10)
    assert (clone.dataset_id, len(clone.runs)) == (10, 40)
    assert clone.model["Steps"][0]["Model"]["X"] == ["rmse"]
    assert clone.model["Input"]["Task"] == ["raiders"]
    assert analysis.clone(dataset_name="Sherlock").dataset_id == 21


def test_a_locked_analysis(neuroscout: Any) -> None:
    """Nothing can be changed, and a clone is locked as well."""
    locked = neuroscout.analyses.get_analysis("Mnx8w")
    locked.description = "mine"
    with pytest.raises(requests.HTTPError, match="is locked"):
        locked.push()
    clone = locked.clone()
    assert clone.locked
    with pytest.raises(requests.HTTPError, match="cannot delete"):
        clone.delete()


def test_models_that_fail(site: Running, neuroscout: Any) -> None:
    """A contrast over an unknown condition fails with the reason, and passes when it is mended."""
    contrast = {"Name": "c", "ConditionList": ["rmse", "zzz"], "Weights": [1, -1], "Test": "t"}
    analysis = simple(neuroscout, contrasts=[contrast], transformations=[{"Name": "Scale", "Input": ["rmse"]}])
    status = compiled(site, analysis)
    assert status["status"] == "FAILED"
    assert "{'zzz'}" in status["traceback"]
    analysis.pull()
    analysis.model["Steps"][0]["Contrasts"] = []
    analysis.push()
    assert compiled(site, analysis)["status"] == "PASSED"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"dataset_name": "Nope"}, "Dataset name"),
        ({"tasks": ["nope"]}, "Task name"),
        ({"subjects": ["nobody"]}, "No runs"),
        ({"predictor_names": ["rmse", "nope"]}, "Not all named predictors"),
        ({"hrf_variables": ["brightness"]}, "subset"),
    ],
    ids=["dataset", "task", "subject", "predictor", "hrf"],
)
def test_names_that_are_not_there(neuroscout: Any, given: dict[str, Any], message: str) -> None:
    """The wizard refuses unknown names before it creates anything."""
    before = len(neuroscout._get("user", sub_route="myanalyses"))
    with pytest.raises(ValueError, match=message):
        simple(neuroscout, **given)
    assert len(neuroscout._get("user", sub_route="myanalyses")) == before


def test_reports(site: Running, neuroscout: Any) -> None:
    """A report is made in the background; its tables are served; an edit makes it stale."""
    analysis = simple(neuroscout)
    with pytest.raises(requests.HTTPError, match="Report not found"):
        analysis.get_report(run_id=analysis.runs[0])
    assert analysis.generate_report(run_id=analysis.runs[0])["status"] == "PENDING"
    assert analysis.get_report(run_id=analysis.runs[0], loop_wait=False)["status"] == "PENDING"
    site.later(10)
    (address,) = analysis.get_design_matrix(run_id=analysis.runs[0])
    assert address.endswith("sub-rid000001_task-life_acq-374vol_run-1_design_matrix.tsv")
    assert requests.get(address, timeout=5).text.startswith("speech\trmse\n")
    analysis.push()
    with pytest.raises(requests.HTTPError, match="No fresh reports"):
        analysis.get_report(run_id=analysis.runs[0])


def test_result_images(site: Running, neuroscout: Any, tmp_path: Path) -> None:
    """The bundle's hash opens the upload; the collection shows its files."""
    analysis = simple(neuroscout)
    compiled(site, analysis)
    image = tmp_path / "task-life_contrast-rmse_stat-t_statmap.nii.gz"
    image.write_bytes(gzip.compress(b"image"))
    with pytest.raises(requests.HTTPError, match="Invalid validation hash"):
        analysis.upload_neurovault("nope", group_paths=[str(image)])
    with tarfile.open(fileobj=io.BytesIO(analysis.get_bundle())) as archive:
        key = json.load(archive.extractfile("resources.json") or io.BytesIO())["validation_hash"]
    sent = analysis.upload_neurovault(key, group_paths=[str(image)], cli_version="0.5", n_subjects=1, cli_args={"a": 1})
    site.later(10)
    (stored,) = analysis.get_uploads(cli_version="0.5")
    assert stored["collection_id"] == sent["collection_id"]
    assert [(f["basename"], f["status"]) for f in stored["files"]] == [(image.name, "OK")]
    assert neuroscout.analyses.get_analysis(analysis.hash_id).nv_count == 1


def test_queries(neuroscout: Any) -> None:
    """Datasets, tasks, runs, predictors and events, by id and by name, as JSON and as tables."""
    assert {d["name"] for d in neuroscout.datasets.get()} >= {"Life", "Sherlock", "Raiders"}
    hidden = neuroscout.datasets.get(name="generic_object_decoding", active_only=False)
    assert [d["active"] for d in hidden] == [False]
    assert len(neuroscout.datasets.get(id=9)["runs"]) == 24
    assert [t["name"] for t in neuroscout.tasks.get(dataset_name="Sherlock")] == ["sherlockPart1", "sherlockPart2"]
    runs = neuroscout.runs.get(dataset_name="Life", task_name="life", subject=["rid000001", "rid000005"], number=[1, 2])
    assert [(r["subject"], r["number"]) for r in runs] == [(s, n) for s in ("rid000001", "rid000005") for n in (1, 2)]
    assert neuroscout.runs.get(id=runs[0]["id"]) == runs[0]
    named = neuroscout.predictors.get(dataset_name="Life", subject="rid000001", name=["rmse", "speech"])
    assert {p["name"]: p["dataset_id"] for p in named} == {"rmse": 9, "speech": 9}
    events = neuroscout.predictor_events.get(
        predictor_name="rmse", dataset_name="Life", subject="rid000001", stimulus_timing=True
    )
    assert len({e["run_id"] for e in events}) == 4
    assert all(isinstance(e["value"], str) and e["stimulus_path"] for e in events)
    table = neuroscout.runs.get(dataset_id=9, number=1, output_type="df")
    assert set(table["dataset_name"]) == {"Life"}
    with pytest.raises(requests.HTTPError, match="Not a valid integer"):
        neuroscout.runs.get(number="abc")
    with pytest.raises(requests.HTTPError, match="Unknown field"):
        neuroscout.datasets.get(limit=1)


def test_custom_predictors(site: Running, neuroscout: Any, tmp_path: Path) -> None:
    """They are the owner's alone by name, compile like others, and hide a public one of the same name."""
    table = tmp_path / "events.tsv"
    table.write_text(TABLE.replace("bananas", "rmse"))
    runs = [r["id"] for r in neuroscout.runs.get(dataset_id=9, subject="rid000001")]
    neuroscout.predictors.create_collection("fruit", 9, [runs], [str(table)])
    site.later(10)
    assert {p["name"] for p in neuroscout.user.get_predictors()} == {"grapes", "apples", "rmse"}
    assert neuroscout.predictors.get(name="rmse", run_id=runs) == []
    assert [p["name"] for p in neuroscout.predictors.get(name="rmse", run_id=runs, newest=False)] == ["rmse"]
    custom = simple(neuroscout, predictor_names=["speech", "grapes"])
    assert compiled(site, custom)["status"] == "PASSED"
    other = signed_in(site, 1)
    assert other.user.get_predictors() == []
    with pytest.raises(ValueError, match="Not all named predictors"):
        simple(other, predictor_names=["rmse"])


def test_people(site: Running, neuroscout: Any) -> None:
    """Own profile, registering, a wrong password, no sign-in, and what belongs to somebody else."""
    assert neuroscout.user.get()["user_name"] == "ada"
    assert neuroscout.user.put(name="Ada", institution="Lab")["institution"] == "Lab"
    assert neuroscout.user.post(name="New Person", email="n@example.org", password="secret1")["user_name"]
    with pytest.raises(requests.HTTPError, match="401"):
        pyns.Neuroscout("ada@example.org", "wrong", api_base_url=site.sandbox.neuroscout)
    anonymous = pyns.Neuroscout(api_base_url=site.sandbox.neuroscout)
    with pytest.raises(requests.HTTPError, match="401"):
        simple(anonymous)
    draft = simple(neuroscout)
    theirs = signed_in(site, 1).analyses.get_analysis(draft.hash_id)
    assert theirs.status == "DRAFT", "private drafts can be read by everybody who knows the id"
    with pytest.raises(requests.HTTPError, match="404"):
        theirs.push()


def test_tokens_expire(site: Running, neuroscout: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """An old token is refused; with credentials in the environment the client signs in again."""
    site.later(8 * 86400)
    with pytest.raises(requests.HTTPError, match="401"):
        neuroscout.user.get()
    user = site.sandbox.scout_users[0]
    monkeypatch.setenv("NEUROSCOUT_USER", user["email"])
    monkeypatch.setenv("NEUROSCOUT_PASSWORD", user["password"])
    neuroscout._authorize()
    assert neuroscout.user.get()["email"] == user["email"]


def test_the_task_queue_is_down(site: Running, neuroscout: Any, tmp_path: Path) -> None:
    """Compiling ends at once as FAILED without a traceback; an upload gets no answer but leaves its collection."""
    site.sandbox.scout.habits.change({"broker": False})
    analysis = simple(neuroscout)
    assert analysis.compile() == {"status": "FAILED", "traceback": ""}
    (tmp_path / "events.tsv").write_text(TABLE)
    with pytest.raises(requests.ConnectionError):
        neuroscout.predictors.create_collection("lost", 9, [[236]], [str(tmp_path / "events.tsv")])
    (kept,) = neuroscout._get("user", sub_route="collections")
    assert (kept["collection_name"], kept["status"], kept["traceback"]) == ("lost", "PENDING", None)
