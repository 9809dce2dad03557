from __future__ import annotations

import pytest

from azml_tasks.errors import AzmlError
from azml_tasks.model import Pipeline
from azml_tasks.reading.overrides import OverrideError, override


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
        ("train.lr = 1 ", "train", {"lr": 1.0, "opt": {"name": "adam", "b.1": 0.9}}),
        ("train.opt.name=a=b: c", "train", {"lr": 0.1, "opt": {"name": "a=b: c", "b.1": 0.9}}),
        ("train.opt.name=sgd", "train", {"lr": 0.1, "opt": {"name": "sgd", "b.1": 0.9}}),
        ("train.opt.b.1=1", "train", {"lr": 0.1, "opt": {"name": "adam", "b.1": 1}}),
        ("train.opt={}", "train", {"lr": 0.1, "opt": {}}),
        ("train.big.lr=2", "train.big", {"lr": 2.0, "big.lr": 1}),
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
    ("in_the_file", "typed", "value"),
    [
        (1, "2", 2),
        (1, "0x10", 16),
        (1, "null", None),
        (0.1, "2e-5", 2e-5),
        (0.1, "3", 3.0),
        (0.1, "~", None),
        (True, "false", False),
        ("adam", "sgd", "sgd"),
        ("adam", "3", "3"),
        ("adam", "true", "true"),
        ("adam", "'3'", "3"),
        ("adam", '"3"', "3"),
        ("adam", "[a-z]+", "[a-z]+"),
        ("adam", "", ""),
        ("adam", "null", None),
        ("adam", "'null'", "null"),
        ([1, 2], "[3, {a: no}]", [3, {"a": "no"}]),
        ([1, 2], "[]", []),
        ({"a": 1}, "{b: [1]}", {"b": [1]}),
        (None, "", None),
        (None, "1", 1),
        (None, "no", "no"),
        (None, "'1'", "1"),
        (None, "[1]", [1]),
    ],
)
def test_a_hyperparameter_takes_a_value_of_the_type_that_it_has_or_null(in_the_file, typed, value):
    after = override(with_hyperparameter(in_the_file), [f"train.x={typed}"]).steps["train"].step_config["x"]

    assert (after, type(after)) == (value, type(value))


@pytest.mark.parametrize(
    ("in_the_file", "typed", "sentence"),
    [
        (1, "abc", "'train.x' must be a whole number, not 'abc'"),
        (1, "", "'train.x' must be a whole number, not ''"),
        (1, "true", "'train.x' must be a whole number, not 'true'"),
        (1, "0.5", "'train.x' must be a whole number, not '0.5'; write 1.0 in pipeline.yaml to allow any number"),
        (1, "1e3", "'train.x' must be a whole number, not '1e3'; write 1000"),
        (1, "1e15", "'train.x' must be a whole number, not '1e15'"),
        (1, ".inf", "'train.x' must be a whole number, not '.inf'"),
        (0.1, "no", "'train.x' must be a number, not 'no'"),
        (0.1, "true", "'train.x' must be a number, not 'true'"),
        (0.1, "9" * 400, f"'train.x' must be a number, not '{'9' * 36}..."),
        (True, "1", "'train.x' must be true or false, not '1'"),
        (False, "yes", "'train.x' must be true or false, not 'yes'"),
        ([1], "1", "'train.x' must be a list, as in [1, 2], not '1'"),
        ([1], "{a: 1}", "'train.x' must be a list, as in [1, 2], not '{a: 1}'"),
        ({"a": 1}, "[1]", "'train.x' must be a mapping, as in {a: 1}, not '[1]'"),
        ({"a": 1}, "", "'train.x' must be a mapping, as in {a: 1}, not ''"),
    ],
)
def test_a_hyperparameter_takes_no_other_value(in_the_file, typed, sentence):
    with pytest.raises(OverrideError) as caught:
        override(with_hyperparameter(in_the_file), [f"train.x={typed}"])

    assert str(caught.value) == sentence


def with_hyperparameter(value: object) -> Pipeline:
    return Pipeline.model_validate({"steps": {"train": {"script_name": "train.py", "step_config": {"x": value}}}})


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
        ("train.lr", "'train.lr' is not a setting; write STEP.KEY=VALUE or PARAMETER=VALUE"),
        ("=3", "'=3' is not a setting; write STEP.KEY=VALUE or PARAMETER=VALUE"),
        (
            "trian.lr=1",
            "'trian.lr': the pipeline has no step 'trian'; did you mean 'train'?",
        ),
        ("zzz.opt.lr=1", "'zzz.opt.lr': the pipeline has no step 'zzz': it has prepare, train and train.big"),
        ("zzz.lr=1", "'zzz.lr': the pipeline has no step 'zzz': it has prepare, train and train.big"),
        ("train.lrr=1", "step 'train' has no setting 'lrr'; did you mean 'lr'?"),
        ("train.zzz=1", "step 'train' has no setting 'zzz': it has lr and opt"),
        (
            "train.opt.nme=1",
            "step 'train', 'opt' has no setting 'nme'; did you mean 'name'?",
        ),
        ("train.lr.x=1", "step 'train': 'lr' is not a mapping, so 'lr.x' cannot be set; set 'lr' instead"),
        ("train=1", "'train' is a step; name one of its settings, as in train.lr=1"),
        (
            "prepare.lr=1",
            "'prepare.lr' is a setting, but step 'prepare' has no step_config; add it in pipeline.yaml",
        ),
        ("lr=1", "'lr' is a setting of a step; name it: train.lr or train.big.lr"),
        (
            "alhpa=1",
            "unknown pipeline parameter 'alhpa'; did you mean 'alpha'?",
        ),
        ("zzz=1", "unknown pipeline parameter 'zzz'; the file has alpha, rounds, mode and dry"),
        (
            "rounds=1.5",
            "the pipeline parameter 'rounds' must be a whole number, not '1.5'; write 3.0 in pipeline.yaml to allow "
            "any number",
        ),
        ("dry=1", "the pipeline parameter 'dry' must be true or false, not '1'"),
        ("alpha=x", "the pipeline parameter 'alpha' must be a number, not 'x'"),
        ("rounds=true", "the pipeline parameter 'rounds' must be a whole number, not 'true'"),
    ],
)
def test_a_setting_that_fits_nothing_is_one_sentence(setting, sentence):
    with pytest.raises(AzmlError) as caught:
        override(pipeline(), [setting])

    assert (str(caught.value), caught.value.exit_status) == (sentence, 2)


def test_many_steps_are_not_all_listed_and_no_hyperparameters_are_none():
    steps = {f"step_{number}": {"script_name": "a.py", "step_config": {}} for number in range(1, 51)}
    many = Pipeline.model_validate({"steps": steps})

    with pytest.raises(OverrideError) as no_step:
        override(many, ["zzz.lr=1"])
    with pytest.raises(OverrideError) as no_key:
        override(many, ["step_1.lr=1"])

    assert str(no_step.value) == (
        "'zzz.lr': the pipeline has no step 'zzz': it has step_1, step_2, step_3, step_4, step_5, step_6, step_7, "
        "step_8, step_9, step_10 and 40 more"
    )
    assert str(no_key.value) == "step 'step_1' has no setting 'lr': it has none"


def test_a_value_that_is_no_yaml_is_one_sentence_naming_the_setting():
    with pytest.raises(AzmlError) as caught:
        override(pipeline(), ["train.opt=[1, 2"])

    assert str(caught.value) == (
        "the value of 'train.opt' cannot be read: the '[' on line 1 is not closed, or a ',' is missing"
    )


def test_a_file_without_parameters_or_with_an_empty_step_config_reports_it():
    bare = Pipeline.model_validate({"steps": {"train": {"script_name": "train.py", "step_config": {}}}})

    for setting, sentence in {
        "zzz=1": "unknown pipeline parameter 'zzz'; the file has no pipeline_parameters",
        "train=1": "'train' is a step; name one of its settings, as in train.KEY=1",
    }.items():
        with pytest.raises(OverrideError) as caught:
            override(bare, [setting])
        assert str(caught.value) == sentence


def test_a_value_in_place_of_null_that_is_no_yaml_names_the_setting_too():
    with pytest.raises(OverrideError) as caught:
        override(with_hyperparameter(None), ["train.x=[1, 2"])

    assert str(caught.value) == (
        "the value of 'train.x' cannot be read: the '[' on line 1 is not closed, or a ',' is missing"
    )


@pytest.mark.parametrize(
    ("typed", "passed"),
    [("-1e-5", "-0.00001"), ("2e-5", "2e-5"), ("0.50", "0.50"), (".5", ".5"), ("3", "3.0"), (".inf", "inf")],
)
def test_the_scripts_receive_the_value_of_a_parameter_as_it_is_written(typed, passed):
    after = override(override(pipeline(), ["alpha=1e-7"]), [f"alpha={typed}"])

    assert str(after.pipeline_parameters["alpha"]) == passed


def test_a_parameter_that_was_set_takes_no_other_type():
    with pytest.raises(OverrideError, match="the pipeline parameter 'rounds' must be a whole number, not '1e-5'"):
        override(pipeline(), ["rounds=007", "rounds=1e-5"])


@pytest.mark.parametrize(
    ("setting", "named"),
    [
        (
            "train.note=https://h/t.csv?sv=1&sig=abcdefghijklmnop%3D",
            "the value of 'train.note' looks like a secret (a signature",
        ),
        ("alpha=postgres://u:hunter2@h/d", "the value of 'alpha' looks like a secret (a password in a URL)"),
        ("gone.x=postgres://u:hunter2@h/d", "the value of 'gone.x' looks like a secret (a password in a URL)"),
        ("train.password=hunter2", "the value of 'train.password' looks like a secret and"),
        ("train.db.api-key=hunter2", "the value of 'train.db.api-key' looks like a secret and"),
    ],
)
def test_a_secret_is_refused_and_not_shown(setting, named):
    with pytest.raises(OverrideError) as caught:
        override(secret_pipeline(), [setting])

    assert str(caught.value).startswith(named)
    assert "hunter2" not in str(caught.value)
    assert "abcdefghijklmnop" not in str(caught.value)


def test_the_value_of_a_known_secret_is_refused_under_any_name():
    with pytest.raises(OverrideError) as caught:
        override(secret_pipeline(), ["train.note=hunter2hunter"], {"MY_TOKEN": "hunter2hunter"})

    assert "looks like a secret (the value of MY_TOKEN)" in str(caught.value)
    assert "hunter2" not in str(caught.value)
    override(secret_pipeline(), ["train.note=production"], {"MY_TOKEN": "production"})


@pytest.mark.parametrize(
    "setting", ["train.use_password=true", "train.password=", "train.note=a text", "train.tokens=3"]
)
def test_what_only_sounds_like_a_secret_is_set(setting):
    override(secret_pipeline(), [setting])


def secret_pipeline() -> Pipeline:
    """Return a pipeline with keys that sound like secrets."""
    config = {"note": "", "password": "", "use_password": False, "tokens": 1, "db": {"api-key": ""}}
    return Pipeline.model_validate(
        {"pipeline_parameters": {"alpha": "x"}, "steps": {"train": {"script_name": "a.py", "step_config": config}}}
    )
