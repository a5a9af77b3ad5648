"""One of many replicas on one ledger: `replica` is there and takes over, `leading` asks the sites, `looks` decides."""

from flyball.replicas.replica import Replicas

__all__ = ["Replicas"]
