"""What the rule reference says of the effects on a Neuroscout server."""

from __future__ import annotations

from typing import Final

SCOUT: Final = {
    "neuroscout.analysis": (
        "Makes an analysis on a Neuroscout server by names, and compiles it; edited while it can be, else made anew.",
        """
rules:
  - id: single-predictor-models
    site: scout
    trigger: [startup, {schedule: "0 4 * * *"}]
    each: matrix
    matrix: {dataset: [Life], predictor: [rmse, speech]}
    do:
      - neuroscout.analysis:
          when: "dataset != 'Sherlock'"
          site: scout
          name: "{{ predictor }} in {{ dataset }}"
          dataset: "{{ dataset }}"
          predictors: ["{{ predictor }}", FramewiseDisplacement]
          subjects: [rid000001, rid000005]
          tasks: [life]
          runs: [1, 2]
          sessions: []
          contrasts: [{Name: main, ConditionList: ["{{ predictor }}"], Weights: [1], Test: t}]
          dummy_contrasts: hrf
          hrf: ["{{ predictor }}"]
          transformations: [{Name: Scale, Input: ["{{ predictor }}"]}]
          description: "One predictor at a time: {{ predictor }}"
          private: true
          compile: true
          report: true
          bundle: "bundles/{{ dataset }}"
          on_locked: new
          wait: 6h
      - neuroscout.analysis:
          name: "whole model of {{ predictor }}"
          dataset: "{{ dataset }}"
          model: {Steps: [{Level: Run, Model: {X: ["{{ predictor }}"]}, DummyContrasts: {Type: t}}]}
""",
    ),
    "neuroscout.predictors": (
        "Checks BIDS events files and uploads them to a Neuroscout server as a collection of predictors.",
        """
rules:
  - id: food
    site: scout
    trigger: [startup]
    each: matrix
    matrix: {film: [raiders]}
    do:
      - neuroscout.predictors:
          when: film == 'raiders'
          site: scout
          name: "{{ film }} food"
          dataset: Raiders
          files:
            - {file: "events/food_{{ film }}1.tsv", runs: {task: raiders, number: 1, subjects: [rid000001]}}
            - {file: "events/food_{{ film }}2.tsv", runs: {task: raiders, number: 2}}
          descriptions: {apples: instances of apples}
          wait: 2h
  - id: events-of-a-gear
    each: file
    scope: {file: "*_events.tsv"}
    do:
      - neuroscout.predictors:
          name: "events of {{ acquisition.label }}"
          dataset: Raiders
          files: [{from: file, runs: {number: 1, session: []}}]
""",
    ),
}
"""Effect kind → what it does, and an example with all of its parameters."""
