"""Pipelines that use what there is to use: each is exported, checked by itself and by Microsoft's own package."""

from __future__ import annotations

LINE = """
experiment_name: churn
steps:
  prepare: {script_name: prepare.py, script_directory: steps, step_config: {min_rows: 10}}
  train: {script_name: train.py, script_directory: steps, step_config: {lr: 2.0e-5, note: "it's $5 & \\"more\\""}}
  evaluate: {script_name: evaluate.py, script_directory: steps}
"""

FAN = """
continue_on_step_failure: true
tags: {team: "42", yes: "no"}
description: |
  Two trainings
  at once.
steps:
  prepare: {script_name: a.py, output_folders: [--train-folder, --test-folder, --kept]}
  small: {script_name: b.py, input_folders: {--input-folder: prepare/--train-folder}, compute_name: gpu}
  large:
    script_name: b.py
    input_folders: {--input-folder: prepare/--train-folder}
    env_name: other@3
    allow_reuse: false
    max_run_duration_seconds: 90
    environment_variables: {MODE: "1", TEXT: "2e-5"}
  choose:
    script_name: c.py
    input_folders: {--small: small, --large: large, --test: prepare/--test-folder}
    output_folders:
      --model-folder:
        destination: {datastore_name: models, path: "churn/{run-id}/{output-name}"}
        register_on_complete: churn_model
      --plain: {destination: {datastore_name: models}}
"""

NAMES = """
steps:
  class: {script_name: a.py}
  1 étape: {script_name: b.py, step_name: "Étape 1: «prête»"}
  Train-Big.v2: {script_name: c.py}
  语: {script_name: d.py}
"""

ORDER = """
steps:
  clean: {script_name: a.py, output_folders: []}
  fetch: {script_name: b.py, input_folders: {}}
  last: {script_name: c.py, input_folders: {}, run_after: [clean, fetch]}
  end: {script_name: d.py, input_folders: {}, run_after: [clean, last]}
"""

PARAMETERS = """
pipeline_parameters: {alpha: 0.5, flag: true, rows: 10, text: "it's $HOME & `more`", empty: "", Alpha_2: 2.0e-5}
steps:
  only:
    script_name: a.py
    step_config: {nested: {list: [1, "two", null, true], "key with 'quotes'": "$${x} $$ \\\\ \\n é"}}
    arguments:
      - --alpha
      - ${{ parameters.alpha }}
      - --flag
      - ${{ parameters.flag }}
      - --again
      - ${{ parameters.alpha }}
      - --text
      - ${{ parameters.text }}
      - --empty
      - ${{ parameters.empty }}
      - --verbose
      - a b
      - it's
      - $[[x]]
      - -1
      - ""
"""

DATA = """
steps:
  read:
    script_name: read.py
    input_datasets:
      {--new-data: customers, --parts: parts, --images: images, raw: raw, --one: one, --v: pinned, --u: unknown}
  merge: {script_name: merge.py, output_folders: [--merged], input_datasets: {--i2: images2, --o: odd name}}
  train:
    script_name: train.py
    input_folders: {}
    input_datasets: {merged: {step: merge}, --lines: {step: merge, format: delimited}}
datastores:
  raw_store: {container_name: raw, account_name: churnstore, account_key: "${CHURN_STORAGE_KEY}"}
  open_store: {container_name: open, account_name: churnstore}
  sas_store: {container_name: sas, account_name: churnstore, sas_token: "${CHURN_SAS}"}
datasets:
  customers:
    datastore_name: raw_store
    path: customers.csv
    separator: ";"
    support_multi_line: true
    set_column_types: {id: string, age: long, born: datetime}
    description: All of them
    tags: {owner: sales}
  parts: {datastore_name: raw_store, path: [a/*.parquet, b/], format: parquet, set_column_types: {n: float}}
  images: {datastore_name: open_store, path: images/, type: file, mode: mount}
  images2: {datastore_name: open_store, path: [one/, "two/**/*.png"], type: file, mode: download}
  raw: {datastore_name: open_store, path: dump.json, type: file}
  one: {datastore_name: open_store, path: model.bin, type: file, mode: download}
  pinned: {datastore_name: raw_store, path: old.csv, version: 3}
  odd name: {datastore_name: raw_store, path: odd.csv, name: odd_name}
"""

ENVIRONMENTS = """
steps:
  a: {script_name: a.py}
  b: {script_name: b.py, env_name: file}
  c: {script_name: c.py, env_name: image}
  d: {script_name: d.py, env_name: docker}
  e: {script_name: e.py, env_name: both}
  f: {script_name: f.py, env_name: AzureML-sklearn-1.5}
  g: {script_name: g.py, env_name: AzureML-sklearn-1.5@7}
  h: {script_name: h.py, env_name: ours@latest}
environments:
  packages: {pip_packages: [pandas], conda_packages: [libgomp], python_version: "3.11"}
  file: {conda_file: conda.yml, environment_variables: {A: "1"}}
  image: {base_image: "example.azurecr.io/mine:1"}
  docker: {dockerfile: Dockerfile}
  both: {dockerfile: Dockerfile, pip_packages: [pandas]}
computes:
  cpu: {vm_size: STANDARD_D4DS_V4, max_nodes: 2}
  spot:
    vm_size: STANDARD_NC6S_V3
    vm_priority: lowpriority
    min_nodes: 1
    max_nodes: 4
    idle_seconds_before_scaledown: 300
"""

WEEKLY = """
steps:
  read: {script_name: a.py, input_datasets: {--data: customers}}
datasets:
  customers: {datastore_name: workspaceblobstore, path: customers.csv}
publish: {name: Weekly churn scores}
schedule:
  frequency: Week
  interval: 2
  week_days: [Sunday, Monday]
  time_of_day: "06:30"
  start_time: 2031-03-24T02:30:00
  time_zone: Europe/Paris
  description: Each second week
"""
HOURLY = "steps: {a: {script_name: a.py}}\nschedule: {frequency: Hour, interval: 6, name: often, enabled: false}\n"
DAILY = "steps: {a: {script_name: a.py}}\nschedule: {frequency: Day, hours: [6, 18], minutes: [0, 30]}\n"
BY_DAY = """
steps: {a: {script_name: a.py}}
schedule: {frequency: Week, week_days: [Friday], start_time: 2031-03-24T02:30:00}
"""

FILES = {
    "conda.yml": "name: x\nchannels: [conda-forge]\ndependencies: [python=3.10, pip, {pip: [numpy]}]\n",
    "Dockerfile": "FROM mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04\n",
    "a.py": "from azureml.core import Run\nrun = Run.get_context()\nrun.log('a', 1)\n",
}
EXAMPLES = {
    "a line": LINE,
    "a fan": FAN,
    "names": NAMES,
    "order": ORDER,
    "parameters": PARAMETERS,
    "data": DATA,
    "environments": ENVIRONMENTS,
    "weekly": WEEKLY,
    "hourly": HOURLY,
    "daily": DAILY,
    "by day": BY_DAY,
}
