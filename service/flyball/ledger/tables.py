"""The ledger's tables, for SQLite and PostgreSQL alike (SQLAlchemy Core; no ORM).

Times are stored as UTC microseconds since the epoch (integers): exact, ordered, the same on both databases.
JSON is stored as UTF-8 bytes made by orjson: it is read back as it was written, and never searched by the database.

Groups of tables:
    mirror      nodes                               the last state read of each container, file, analysis and job
    noticing    cursors, events, looks              what was seen, and which rule must look at which target, when
    deciding    rules, decisions, claims            who decided what, and what each rule wants to be so
    acting      effects, attempts, marks, alerts    what was asked for, what was tried, whose a tag is
    talking     posts, told, silences               which messages go out together, which channel was told, quiet times
    asking      intents, facts                      what the command line asked for; small durable facts (probe, locks)
    sharing     replicas, budgets                   who works on this ledger; how much of a site's rate is given out
                rulings                             what people said of one rule on one target
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData()

# SQLite gives 64-bit row ids only to a column declared INTEGER PRIMARY KEY; with AUTOINCREMENT it never gives one
# twice, also after rows were cleared away.
_Id = BigInteger().with_variant(Integer, "sqlite")


nodes = Table(
    "nodes",
    metadata,
    Column("site", String(32), primary_key=True),
    Column("level", String(16), primary_key=True),
    Column("id", Text, primary_key=True),
    Column("label", Text, nullable=False),
    Column("project", Text),
    Column("subject", Text),
    Column("session", Text),
    Column("acquisition", Text),
    Column("parents", LargeBinary, nullable=False),
    Column("created", BigInteger),
    Column("modified", BigInteger),
    Column("revision", BigInteger),
    Column("settled_from", BigInteger),
    Column("content", String(32), nullable=False),
    Column("whole", String(32), nullable=False),
    Column("tags_known", Boolean, nullable=False),
    Column("info_known", Boolean, nullable=False),
    Column("presence", String(8), nullable=False),
    Column("doc", LargeBinary, nullable=False),
    Index("nodes_by_acquisition", "site", "acquisition"),
    Index("nodes_by_session", "site", "session"),
    Index("nodes_by_subject", "site", "subject"),
    Index("nodes_by_project", "site", "project", "level"),
)

cursors = Table(
    "cursors",
    metadata,
    Column("site", String(32), primary_key=True),
    Column("stream", String(64), primary_key=True),
    Column("value", LargeBinary, nullable=False),
    Column("updated", BigInteger, nullable=False),
)

events = Table(
    "events",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=True),
    Column("site", String(32), nullable=False),
    Column("kind", String(24), nullable=False),  # changed gone hidden job webhook startup schedule own
    Column("level", String(16), nullable=False),
    Column("node", Text, nullable=False),
    Column("path", Text, nullable=False),
    Column("source", String(16), nullable=False),  # poll sweep webhook startup schedule effect
    Column("seen", BigInteger, nullable=False),
    Column("detail", LargeBinary, nullable=False),
    Column("dedupe", Text, unique=True),
    Index("events_by_node", "site", "node"),
    sqlite_autoincrement=True,
)


looks = Table(
    "looks",
    metadata,
    Column("rule", String(128), primary_key=True),
    Column("site", String(32), primary_key=True),
    Column("level", String(16), primary_key=True),
    Column("target", Text, primary_key=True),
    Column("due", BigInteger, nullable=False),
    Column("event", BigInteger),
    Column("stamp", BigInteger, nullable=False),  # raised by each new hint; a look is done only if it did not move
    Column("urgent", Boolean, nullable=False),  # a change came, as against the passing of time
    Column("handed", BigInteger),  # replicas: when a worker was told of it; null again with each new hint
    Index("looks_by_due", "due"),
)

rules = Table(
    "rules",
    metadata,
    Column("id", String(128), primary_key=True),
    Column("version", String(64), nullable=False),
    Column("first_seen", BigInteger, nullable=False),
    Column("version_seen", BigInteger, nullable=False),
    Column("paused", Boolean, nullable=False),
    Column("present", Boolean, nullable=False),
    Column("released", String(64)),  # the version whose canary was approved
    Column("generation", Integer, nullable=False),
)

decisions = Table(
    "decisions",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=True),
    Column("rule", String(128), nullable=False),
    Column("version", String(64), nullable=False),
    Column("site", String(32), nullable=False),
    Column("level", String(16), nullable=False),
    Column("target", Text, nullable=False),
    Column("path", Text, nullable=False),
    Column("verdict", String(8), nullable=False),
    Column("because", LargeBinary, nullable=False),
    Column("digest", String(32), nullable=False),
    Column("decided", BigInteger, nullable=False),
    Column("confirmed", BigInteger, nullable=False),
    Column("event", BigInteger),
    Column("current", Boolean, nullable=False),
    Index("decisions_by_target", "target", "rule", "current"),
    Index("decisions_by_rule", "rule", "current", "verdict"),
    sqlite_autoincrement=True,
)


claims = Table(
    "claims",
    metadata,
    Column("rule", String(128), primary_key=True),
    Column("site", String(32), primary_key=True),
    Column("target", Text, primary_key=True),
    Column("slot", String(160), primary_key=True),
    Column("kind", String(32), nullable=False),
    Column("level", String(16), nullable=False),
    Column("path", Text, nullable=False),
    Column("subject", Text),  # what is claimed, e.g. `acquisition/ID/LOW_SNR`
    Column("once_key", String(40), nullable=False),
    Column("params", LargeBinary, nullable=False),
    Column("over", String(8), nullable=False),
    Column("holds", Boolean, nullable=False, default=False),  # its rule lets nothing go without a person's yes
    Column("since", BigInteger, nullable=False),
    Index("claims_by_subject", "site", "subject"),
)

marks = Table(
    "marks",
    metadata,
    Column("site", String(32), primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("owner", String(8), nullable=False),  # trying ours people removed failed
    Column("updated", BigInteger, nullable=False),
)

effects = Table(
    "effects",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=True),
    Column("site", String(32), nullable=False),
    Column("rule", String(128), nullable=False),
    Column("rule_version", String(64), nullable=False),
    Column("level", String(16), nullable=False),
    Column("target", Text, nullable=False),
    Column("path", Text, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("state", String(12), nullable=False),
    Column("once_key", String(40), nullable=False),
    Column("single", String(48), unique=True),  # the once-key of kinds that happen once; null for the others
    Column("lane", Text, nullable=False),  # effects of one lane are carried out one after another
    Column("slot", String(160), nullable=False),
    Column("summary", Text, nullable=False),
    Column("params", LargeBinary, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("updated", BigInteger, nullable=False),
    Column("due", BigInteger),
    Column("held_for", String(12)),  # what keeps it: approval canary (held), limit paused (planned, with a later due)
    Column("attempts", Integer, nullable=False),
    Column("failures", Integer, nullable=False, default=0),  # transient ones that count, since planned or `retry`
    Column("unclear", Integer, nullable=False),
    Column("looked", Integer, nullable=False),
    Column("pause", BigInteger),  # after an unclear end: how long before each look, microseconds
    Column("launched", BigInteger),  # of a launch: when our own job was sent, or may have been
    Column("outcome", LargeBinary),
    Column("job", String(24)),  # of a launch: the site's job
    Column("job_state", String(16)),  # and its state there, as last seen
    Column("error", Text),
    Column("decision", BigInteger),
    Index("effects_by_due", "state", "site", "due"),
    Index("effects_by_rule", "rule", "kind", "state"),
    Index("effects_by_target", "target", "rule"),
    Index("effects_by_key", "once_key"),
    Index("effects_by_lane", "lane", "state"),
    Index("effects_by_job", "job"),
    sqlite_autoincrement=True,
)


attempts = Table(
    "attempts",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=True),
    Column("effect", BigInteger, nullable=False),
    Column("number", Integer, nullable=False),
    Column("started", BigInteger, nullable=False),
    Column("ended", BigInteger),
    Column("outcome", String(12)),
    Column("error", Text),
    Column("replica", Text),  # who makes it; null: the only daemon there is
    UniqueConstraint("effect", "number"),
    Index("attempts_open", "ended", "effect"),
    sqlite_autoincrement=True,
)


alerts = Table(
    "alerts",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=True),
    Column("rule", String(128), nullable=False),
    Column("site", String(32), nullable=False),
    Column("level", String(16), nullable=False),
    Column("target", Text, nullable=False),
    Column("path", Text, nullable=False),
    Column("slot", String(160), nullable=False),
    Column("status", String(12), nullable=False),  # open resolved
    Column("severity", String(12), nullable=False),
    Column("title", Text, nullable=False),
    Column("since", BigInteger, nullable=False),
    Column("last_sent", BigInteger),
    Column("count", Integer, nullable=False),
    Column("next_repeat", BigInteger),
    Index("alerts_by_status", "status", "rule"),
    Index("alerts_by_target", "target", "rule", "slot"),
    sqlite_autoincrement=True,
)


posts = Table(
    "posts",
    metadata,
    Column("effect", BigInteger, primary_key=True, autoincrement=False),
    Column("channel", String(40), nullable=False),
    Column("bundle", String(64), nullable=False),  # messages of one bundle that are put off go out as one
    Column("carrier", BigInteger),  # the effect whose message says this one, too
    Index("posts_by_bundle", "channel", "bundle"),
    Index("posts_by_carrier", "carrier"),
)

told = Table(
    "told",
    metadata,
    Column("alert", BigInteger, primary_key=True, autoincrement=False),
    Column("channel", String(40), primary_key=True),
    Column("sent", Boolean, nullable=False),  # False: it is less severe than what the channel takes
    Column("at", BigInteger, nullable=False),
)

silences = Table(
    "silences",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=True),
    Column("rule", String(128)),
    Column("project", Text),
    Column("until", BigInteger, nullable=False),
    Column("because", Text, nullable=False),
    Column("since", BigInteger, nullable=False),
    Column("lifted", BigInteger),
    sqlite_autoincrement=True,
)


facts = Table(
    "facts",
    metadata,
    Column("name", String(128), primary_key=True),
    Column("value", LargeBinary, nullable=False),
    Column("updated", BigInteger, nullable=False),
)

intents = Table(
    "intents",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=True),
    Column("verb", String(24), nullable=False),
    Column("params", LargeBinary, nullable=False),
    Column("asked", BigInteger, nullable=False),
    Column("done", BigInteger),
    Column("answer", LargeBinary),
    sqlite_autoincrement=True,
)

rulings = Table(
    "rulings",
    metadata,
    Column("rule", String(128), primary_key=True),
    Column("site", String(32), primary_key=True),
    Column("target", Text, primary_key=True),
    Column("adopted", Boolean, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("forgotten", LargeBinary, nullable=False),
    Column("said", BigInteger, nullable=False),
    Index("rulings_by_target", "target"),
)

replicas = Table(
    "replicas",
    metadata,
    Column("id", Text, primary_key=True),
    Column("host", Text, nullable=False),
    Column("process", Integer, nullable=False),
    Column("version", Text, nullable=False),
    Column("started", BigInteger, nullable=False),
    Column("seen", BigInteger, nullable=False),  # its last sign of life, by the database's clock
)

budgets = Table(
    "budgets",
    metadata,
    Column("site", String(32), primary_key=True),
    Column("spent", BigInteger, nullable=False),  # until when the rate is given out, by the database's clock
    Column("paused", BigInteger, nullable=False),  # until when nobody may ask the site
)

# PostgreSQL holds a text to its declared length, SQLite does not: there, none is declared. Ids are put into the order
# of their bytes, which is Python's, whatever the language of the database.
_Sorted = Text(collation="C")
for _table in metadata.tables.values():
    for _column in _table.columns:
        if isinstance(_column.type, String):
            _column.type = _column.type.with_variant(_Sorted, "postgresql")
