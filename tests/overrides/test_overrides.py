from __future__ import annotations

import pytest

from azml_tasks.errors import AzmlError
from azml_tasks.model import Pipeline
from azml_tasks.overrides import override


def pipeline() -> Pipeline:
    return Pipeline.model_validate(
        {
            "pipeline_parameters": {"alpha": 0.5, "rounds": 3, "mode": "fast", "dry": False},
            "steps": {
                "prepare": {"script_name": "prepare.py"},
                "train": {
                    "script_name": "train.py",
                    "step_config": {"lr": 0.1, "opt": {"name": "adam", "b.1": 0.9}},
                },
                "train.big": {"script_name": "train.py", "step_config": {"lr": 0.2, "big.lr": 1}},
            },
        }
    )


@pytest.mark.parametrize(
    ("setting", "step", "config"),
    [
        ("train.lr=2e-5", "train", {"lr": 2e-5, "opt": {"name": "adam", "b.1": 0.9}}),
        ("train.lr = no", "train", {"lr": "no", "opt": {"name": "adam", "b.1": 0.9}}),
        ("train.lr=", "train", {"lr": None, "opt": {"name": "adam", "b.1": 0.9}}),
        ("train.lr=a=b: c", "train", {"lr": "a=b: c", "opt": {"name": "adam", "b.1": 0.9}}),
        ("train.lr='1'", "train", {"lr": "1", "opt": {"name": "adam", "b.1": 0.9}}),
        ("train.lr=[1, {a: no}]", "train", {"lr": [1, {"a": "no"}], "opt": {"name": "adam", "b.1": 0.9}}),
        ("train.opt.name=sgd", "train", {"lr": 0.1, "opt": {"name": "sgd", "b.1": 0.9}}),
        ("train.opt.b.1=1", "train", {"lr": 0.1, "opt": {"name": "adam", "b.1": 1}}),
        ("train.opt={}", "train", {"lr": 0.1, "opt": {}}),
        ("train.big.lr=true", "train.big", {"lr": True, "big.lr": 1}),
        ("train.big.big.lr=0x10", "train.big", {"lr": 0.2, "big.lr": 16}),
    ],
)
def test_a_hyperparameter_is_replaced_in_its_step_and_nowhere_else(setting, step, config):
    before = pipeline()

    after = override(before, [setting])

    others = {key: value.step_config for key, value in before.steps.items() if key != step}
    assert {key: value.step_config for key, value in after.steps.items()} == {**others, step: config}
    assert before == pipeline()


@pytest.mark.parametrize(
    ("setting", "parameters"),
    [
        ("alpha=3", {"alpha": 3.0, "rounds": 3, "mode": "fast", "dry": False}),
        ("rounds=4", {"alpha": 0.5, "rounds": 4, "mode": "fast", "dry": False}),
        ("mode=3", {"alpha": 0.5, "rounds": 3, "mode": "3", "dry": False}),
        ("mode='3'", {"alpha": 0.5, "rounds": 3, "mode": "3", "dry": False}),
        ("dry=true", {"alpha": 0.5, "rounds": 3, "mode": "fast", "dry": True}),
    ],
)
def test_a_pipeline_parameter_takes_a_value_of_its_defaults_type(setting, parameters):
    after = override(pipeline(), [setting])

    assert after.pipeline_parameters == parameters
    assert {name: type(value) for name, value in after.pipeline_parameters.items()} == {
        "alpha": float,
        "rounds": int,
        "mode": str,
        "dry": bool,
    }


def test_the_last_of_two_settings_of_one_name_counts_and_others_add_up():
    after = override(pipeline(), ["train.lr=1", "train.big.lr=2", "train.lr=3", "alpha=4"])

    assert after.steps["train"].step_config["lr"] == 3
    assert after.steps["train.big"].step_config["lr"] == 2
    assert after.pipeline_parameters["alpha"] == 4.0


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ("train.lr", "'train.lr' sets nothing; write STEP.KEY=VALUE or PARAMETER=VALUE"),
        ("=3", "'=3' sets nothing; write STEP.KEY=VALUE or PARAMETER=VALUE"),
        (
            "trian.lr=1",
            "'trian.lr': there is no step 'trian', only prepare, train and train.big; did you mean 'train'?",
        ),
        ("train.lrr=1", "step 'train' has no hyperparameter 'lrr': it has lr and opt; did you mean 'lr'?"),
        (
            "train.opt.nme=1",
            "step 'train', 'opt' has no hyperparameter 'nme': it has name and b.1; did you mean 'name'?",
        ),
        ("train.lr.x=1", "step 'train': 'lr' holds no keys, so 'lr.x' names nothing; set 'lr' itself"),
        ("train=1", "'train' is a step; name one of its hyperparameters, as in train.lr=1"),
        ("prepare.lr=1", "'prepare.lr' sets a hyperparameter, and step 'prepare' has no step_config"),
        ("lr=1", "'lr' is a hyperparameter; name its step: train.lr or train.big.lr"),
        (
            "alhpa=1",
            "there is no pipeline parameter 'alhpa'; there is only alpha, rounds, mode and dry; did you mean 'alpha'?",
        ),
        ("rounds=1.5", "the pipeline parameter 'rounds' takes a whole number, not '1.5'"),
        ("dry=1", "the pipeline parameter 'dry' takes true or false, not '1'"),
        ("alpha=x", "the pipeline parameter 'alpha' takes a number, not 'x'"),
        ("rounds=true", "the pipeline parameter 'rounds' takes a whole number, not 'true'"),
    ],
)
def test_a_setting_that_fits_nothing_is_one_sentence(setting, sentence):
    with pytest.raises(AzmlError) as caught:
        override(pipeline(), [setting])

    assert (str(caught.value), caught.value.exit_status) == (sentence, 2)


def test_a_value_that_is_no_yaml_is_one_sentence_naming_the_setting():
    with pytest.raises(AzmlError) as caught:
        override(pipeline(), ["train.lr=[1, 2"])

    assert str(caught.value) == (
        "the value of 'train.lr' cannot be read: the '[' in line 1 is not closed, or a ',' is missing"
    )
