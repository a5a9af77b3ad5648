"""`view`: what a data view asks for. Running and saving it is in `viewing`.

A view is run again when something that it could show has changed: the once-key holds a fingerprint of the target and
of all containers and files below it. Safe against doubles: to run it changes nothing on the site, and a table whose
content is there already is not sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field, field_validator

from flyball.effects.common import Entry, Params, container_json, reads_of
from flyball.effects.paths import PathTemplate, clean, compile_path
from flyball.effects.viewing import Viewing
from flyball.model.decision import Because, Verdict, Wish
from flyball.model.levels import CONTAINERS, Level
from flyball.model.node import Document, Node
from flyball.rules.catalog import Compiler, Fault
from flyball.rules.expression import Expression, Unknown
from flyball.rules.keys import fingerprint, once_key
from flyball.rules.rule import Moment, WhenOver
from flyball.rules.templates import Template

Place = Literal["disk", "project"]
Match = Literal["first", "last", "newest", "oldest", "all"]


class Column(Params):
    """One column of a data view."""

    src: str = Field(min_length=1, description="What it shows: `subject.label`, `file.info.EchoTime`.")
    dst: str | None = Field(default=None, description="Its heading. Default: `src`.")
    type: Literal["int", "float", "string", "bool"] | None = Field(default=None, description="What its values become.")
    accumulator: str | None = Field(default=None, description="How rows of one group become one.")


class ViewParams(Params):
    """Parameters of `view`."""

    label: str | None = Field(default=None, description="The view's label.")
    columns: list[Column] = Field(min_length=1, description="The columns, in order.")
    container: Literal["project", "subject", "session", "acquisition"] | None = Field(
        default=None, description="Level of the containers whose files are looked at; goes with `filename`."
    )
    filename: str | None = Field(default=None, description="Glob: which files. Without it no files are looked at.")
    match: Match = Field(default="all", description="Which of several files that fit.")
    process_files: bool = Field(default=False, description="Read the files (CSV and the like) and show their rows.")
    zip_member: str | None = Field(default=None, description="Glob: which member of zip files is read.")
    gear: str | None = Field(default=None, description="Look at output files of this gear's analyses instead.")
    filter: str | None = Field(default=None, description="Which rows, in the site's own filter syntax.")
    include_ids: bool = Field(default=False, description="Columns with the containers' ids.")
    include_labels: bool = Field(default=False, description="Columns with the containers' labels.")
    error_column: bool = Field(default=False, description="A column with what went wrong.")
    missing_data_strategy: Literal["none", "drop-row"] | None = Field(
        default=None, description="`drop-row` leaves out rows in which a value is missing."
    )
    sort: bool = Field(default=True, description="Rows in the order of the columns.")
    format: Literal["csv", "json"] = Field(default="csv", description="CSV, or JSON: a list of rows.")
    to: Place | list[Place] = Field(
        default="disk", description="Below the data folder, as a file of the project, or both."
    )
    name: str = Field(min_length=1, description="Template of the file's name; on disk it may have folders.")
    joined: str | None = Field(default=None, description="A file below the data folder with the rows of all targets.")

    @field_validator("columns", mode="before")
    @classmethod
    def _texts(cls, value: Any) -> Any:
        """A text stands for `{src: text}`."""
        return [{"src": one} if isinstance(one, str) else one for one in value] if isinstance(value, list) else value


@dataclass(frozen=True, slots=True)
class ViewEntry(Entry):
    """A compiled `view` entry.

    Attributes:
        view: the specification as the site takes it.
    """

    view: dict[str, Any]
    format: str
    to: tuple[Place, ...]
    name: Template
    path: PathTemplate
    joined: str | None

    def because(self, moment: Moment) -> Iterable[Because]:
        """`when`, and the file's name."""
        yield from Entry.because(self, moment)
        name = self.name.fill(moment.context.names)
        trouble = name.reason if isinstance(name, Unknown) else ""
        yield Because(f"view to {self.name.text}", "unknown" if trouble else "true", {}, trouble)

    def wishes(self, moment: Moment) -> Iterable[Wish]:
        """One table of what lies at and below the target."""
        document = moment.document
        slot = f"{self.index}.view"
        name, path = self.name.fill(moment.context.names), self.path.fill(moment.context.names)
        project = container_json(document, Level.PROJECT)
        trouble = ""
        if isinstance(name, Unknown) or isinstance(path, Unknown):
            trouble = name.reason if isinstance(name, Unknown) else "a value of its name is missing"
        elif "project" in self.to and project is None:
            trouble = "it has no project to put the table on"
        if trouble or isinstance(name, Unknown) or isinstance(path, Unknown):
            yield Wish("view", Verdict.UNKNOWN, {}, "", trouble, slot, trouble)
            return
        target = document.target
        ending = "csv" if self.format == "csv" else "json"
        parts = ("view", moment.rule_id, target.id, self.view, self.format, self.to, name, self.joined)
        spec = self.view.get("fileSpec")
        container = None if spec is None else str(spec["container"])
        base = fingerprint([moment.rule_id, self.index])[:16]
        params: dict[str, Any] = {
            "container": project or container_json(document, target.level),
            "run_on": target.id,
            "view": self.view,
            "format": self.format,
            "to": list(self.to),
            "name": clean(name.rsplit("/", 1)[-1]),
            "path": "/".join(path),
            "piece": f".flyball/views/{base}/{clean(target.id)}.{ending}",
            "joined": self.joined,
        }
        key = once_key(*parts, state_of(document, container, params["name"]), moment.generation)
        yield Wish("view", self.want(moment), params, key, f"view {name}  {target.path}", slot)


class View(Viewing):
    """The effect kind."""

    name = "view"
    params = ViewParams
    over = WhenOver.LEAVE
    deadline: float | None = None  # silence ends it, not its size

    def compile(self, params: ViewParams, when: Expression | None, index: int, compiler: Compiler) -> ViewEntry:
        """Check what belongs together, and make the specification."""
        if compiler.each not in CONTAINERS:
            raise Fault((), f"a rule on each {compiler.each} has no containers to look at: use `each: project`")
        if (params.container is None) != (params.filename is None):
            raise Fault(("filename",), "`container` and `filename` go together: the site takes neither alone")
        if params.filename is None and (params.process_files or params.zip_member or params.gear):
            raise Fault(("filename",), "which files are to be read? give `container` and `filename`")
        to: tuple[Place, ...] = (params.to,) if isinstance(params.to, str) else tuple(dict.fromkeys(params.to))
        if not to and params.joined is None:
            raise Fault(("to",), "the table goes nowhere: name `disk`, `project` or a `joined` file")
        name = compiler.template(params.name, ("name",))
        path = compile_path(params.name, compiler, ("name",))
        if path.is_folder:
            raise Fault(("name",), "this names a folder; give the file a name")
        joined = None
        if params.joined is not None:
            place = compile_path(params.joined, compiler, ("joined",)).fill({})
            if isinstance(place, Unknown):
                raise Fault(("joined",), "the joined file is one for all targets, so its name has no values in it")
            joined = "/".join(place)
        below = {(str(compiler.each), "files")}
        reads = reads_of(when, name, path) | below
        return ViewEntry(self.name, index, when, reads, specification(params), params.format, to, name, path, joined)


def specification(params: ViewParams) -> dict[str, Any]:
    """The view as the official SDK's builder writes it (SDK 23 wire)."""
    view: dict[str, Any] = {}
    if params.label:
        view["label"] = params.label
    view["columns"] = [column.model_dump(exclude_none=True) for column in params.columns]
    if params.container is not None and params.filename is not None:
        spec: dict[str, Any] = {"container": params.container, "filter": {"value": params.filename, "regex": False}}
        if params.gear is not None:
            spec["analysisFilter"] = {"gear.name": {"value": params.gear, "regex": False}}
        if params.zip_member is not None:
            spec["zipMember"] = {"value": params.zip_member, "regex": False}
        more: dict[str, Any] = {
            "match": params.match,
            "formatOptions": {},
            "processFiles": params.process_files,
            "columns": [],
        }
        view["fileSpec"] = spec | more
    if params.filter:
        view["filter"] = params.filter
    view |= {"includeIds": params.include_ids, "includeLabels": params.include_labels}
    view["errorColumn"] = params.error_column
    if params.missing_data_strategy is not None:
        view["missingDataStrategy"] = params.missing_data_strategy
    return view | {"sort": params.sort}


def state_of(document: Document, container: str | None, own: str) -> str:
    """A fingerprint of what a view could show: the target, the containers below it, and the files on those whose files
    it looks at. The table itself, put on such a container, is no news.
    """
    ancestors = [(str(node.level), node.id, node.label) for node in document.ancestors.values()]
    nodes = [
        (node.id, node.content)
        for node in (document.node, *document.subtree)
        if node.level is not Level.FILE or (_parent_of(node) == container and node.label != own)
    ]
    return fingerprint([sorted(ancestors), sorted(nodes)])


def _parent_of(file: Node) -> Any:
    parent = file.doc.get("parent_ref")
    return parent.get("type") if isinstance(parent, Mapping) else None
