"""The control law of the pace: what refusals say about the rate that a site can bear. Pure; time is an argument.

A site that has a limit refuses what is above it, and nothing below. A site (or a proxy) that turns single requests away
at random does so at every rate, and asking more slowly does not help. The law tells the two apart by trying:

    free       no trouble on record; the rate is the configured one, or none
    trying     after a refusal the rate is lowered to `TRY` of what was sent, and held there for twice as many requests
               as it took to be refused. Another refusal meanwhile: the rate is not to blame → immune.
               None: it is → holding
    holding    the rate climbs back to where it was refused, quickly at first, then ever more slowly, the oftener the
               same rate was refused (the limit of the site is known by then)
    immune     single refusals change nothing for so many answers and seconds; then the question is open again

In every state, many refusals among the last answers are an overload, and cut the rate to what the site accepted.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from enum import Enum

TRY = 0.8  # of the rate that was refused
OVERLOAD = 0.15  # share of refusals that is taken for more than chance
EVIDENCE = 2  # refusals at the least, to speak of a share
EPISODES = 4  # the share is that of so many episodes
LONG = 40
FORGET = 30.0  # seconds after which an episode says nothing about the present
EPISODE = 1.0  # seconds; refusals within them are one piece of news
HOLD_MOST = 400  # requests at the lowered rate, at the most
IMMUNE = 1000  # answers for which a rate that was found not guilty is left alone, and
IMMUNE_S = 60.0  # seconds at the least
RISE = 1.2  # per quiet second, far from the rate at which there was trouble
CREEP = 1.02  # the same near it; half with each time that the same rate was refused, twice with each quiet `QUIET`
QUIET = 10.0
NEAR = (0.93, 1.1)  # of that rate
SAME = (0.96, 1.12)  # of that rate; what is refused below it is refused for another reason
LEAST = 5.0  # requests a second
USED = 0.7  # of the allowed rate; from there on it counts as used
FREE = 10_000.0  # requests a second; without a configured limit, a rate cut is forgotten once it has grown to this


class Mood(Enum):
    """What the law believes."""

    FREE = "free"
    TRYING = "trying"
    HOLDING = "holding"
    IMMUNE = "immune"


class News(Enum):
    """What a refusal turns out to be."""

    SAME = "same"  # of an episode that was dealt with
    CHANCE = "chance"
    TRIAL = "trial"
    OVERLOAD = "overload"


@dataclass(slots=True)
class _Episode:
    began: float
    oks: int  # good answers since the episode before
    refused: int = 1
    overload: bool = False


@dataclass(slots=True)
class Law:
    """The rate of one site.

    Attributes:
        most: configured requests a second, None for no limit.
        rate: allowed now, None for no limit.
        mood: what the law believes.
        troubled: rate at which there was trouble last, 0 for none.
    """

    most: float | None = None
    rate: float | None = field(init=False)
    mood: Mood = field(init=False, default=Mood.FREE)
    troubled: float = field(init=False, default=0.0)
    _sure: int = field(init=False, default=0)
    _oks: int = field(init=False, default=0)
    _left: int = field(init=False, default=0)
    _until: float = field(init=False, default=float("-inf"))
    _raised: float = field(init=False, default=float("-inf"))
    _episodes: deque[_Episode] = field(init=False, default_factory=lambda: deque(maxlen=EPISODES))

    def __post_init__(self) -> None:
        """Begin with the configured rate."""
        self.rate = self.most

    def accepted(self, now: float) -> None:
        """A good answer; the rate may rise."""
        self._oks += 1
        if self.mood in (Mood.TRYING, Mood.IMMUNE):
            self._left -= 1
            if self._left <= 0 and now >= self._until:
                self.mood = Mood.HOLDING if self.mood is Mood.TRYING else Mood.FREE
        if self.rate is None or self.rate == self.most or self.mood is Mood.TRYING:
            self._raised = max(self._raised, now)
            return
        passed = now - self._raised
        if passed >= 1.0:
            self._raised = now
            self.rate = self._risen(self.rate, now, min(passed, 2.0))

    def refused(self, now: float, sent: float, taken: float) -> News:
        """A refusal, or no answer in time.

        Args:
            now: monotonic seconds.
            sent: requests a second that were sent lately.
            taken: how many were answered well within the last second.
        """
        while self._episodes and self._episodes[0].began < now - FORGET:
            self._episodes.popleft()
        current = self._episodes[-1] if self._episodes else None
        if current is None or now - current.began >= EPISODE:
            current = _Episode(now, self._oks)
            self._oks = 0
            self._episodes.append(current)
            is_new = True
        else:
            current.refused += 1
            is_new = False
        if self._is_overload() and not current.overload:
            current.overload = True
            self._overloaded(now, sent, taken)
            return News.OVERLOAD
        if not is_new or current.overload:
            return News.SAME
        return self._single(now, sent, current)

    def _is_overload(self) -> bool:
        """Many refusals among the last answers. Long good times say little of the present: they count as `LONG`."""
        refused = sum(one.refused for one in self._episodes)
        if refused < EVIDENCE:
            return False
        return refused / (refused + sum(min(one.oks, LONG) for one in self._episodes)) > OVERLOAD

    def _used(self, sent: float) -> float:
        """The rate that was refused: the allowed one where it was used, for what was counted is coarse."""
        return sent if self.rate is None or sent < USED * self.rate else self.rate

    def _overloaded(self, now: float, sent: float, taken: float) -> None:
        """Down to what was accepted, and to half at the most: the last second may have begun with a pause."""
        base = self._used(sent)
        self.troubled = base
        self._sure = 0
        self.mood = Mood.HOLDING
        self._cut(now, max(0.9 * taken, 0.5 * base))

    def _single(self, now: float, sent: float, episode: _Episode) -> News:
        base = self._used(sent)
        if self.mood is Mood.IMMUNE:
            return News.CHANCE
        if self.mood is Mood.TRYING:
            self.mood, self._left, self._until = Mood.IMMUNE, IMMUNE, now + IMMUNE_S
            self._sure = 0
            self.rate = self.most if self.most is not None else None
            return News.CHANCE
        if base < LEAST:
            return News.TRIAL  # so few requests are hardly too many; a rate cut now would be felt when there is work
        again = SAME[0] * self.troubled <= base <= SAME[1] * self.troubled
        self._sure = min(self._sure + 1, 4) if again else 0
        if again and self._sure > 1:  # known by now: no further trial, only a small step back
            self.mood = Mood.HOLDING
            self.troubled = max(self.troubled, base)  # else chance would take it down step by step
            self._cut(now, self.troubled * NEAR[0])
            return News.TRIAL
        self.troubled = base
        self.mood, self._until = Mood.TRYING, now
        self._left = min(2 * max(episode.oks, 1), HOLD_MOST)
        self._cut(now, base * TRY)
        return News.TRIAL

    def _cut(self, now: float, rate: float) -> None:
        floor = 1.0 if self.most is None else min(1.0, self.most)
        self.rate = max(floor, rate if self.most is None else min(rate, self.most))
        self._raised = now

    def _risen(self, rate: float, now: float, seconds: float) -> float | None:
        """The rate after so many seconds without a refusal."""
        quiet = now - self._episodes[-1].began if self._episodes else FORGET
        careful = NEAR[0] * self.troubled
        near = careful <= rate * 1.001 and rate <= NEAR[1] * self.troubled
        factor = RISE if not near else 1.0 + (CREEP - 1.0) * min(math.pow(2.0, quiet // QUIET - self._sure), 4.0)
        grown = rate * math.pow(factor, seconds)
        if not near and rate < careful < grown:
            grown = careful
        if self.most is not None:
            return min(grown, self.most)
        return grown if grown <= FREE else None
