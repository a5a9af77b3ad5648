"""Rule files: YAML to compiled rules, with every mistake at `file:line:column`."""

from flyball.rules.reading.folder import read_rules
from flyball.rules.reading.result import Rejected, RuleSet, RuleTest
from flyball.rules.reading.surroundings import Surroundings
from flyball.rules.reading.texts import read_texts

__all__ = ["Rejected", "RuleSet", "RuleTest", "Surroundings", "read_rules", "read_texts"]
