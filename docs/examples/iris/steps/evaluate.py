"""Step `evaluate`: measure the accuracy of the model on the test data."""

import argparse
from pathlib import Path

import pandas as pd
from azureml.core import Run
from softmax import Softmax


def parse_arguments(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--input-folder", type=Path, required=True, help="contains model.json and test.csv")
    return parser.parse_args(argv)


def main() -> None:
    run = Run.get_context()
    args = parse_arguments()
    model = Softmax.from_json((args.input_folder / "model.json").read_text())
    flowers = pd.read_csv(args.input_folder / "test.csv")
    predicted = pd.Series(model.predict(flowers.drop(columns="species")), index=flowers.index, name="predicted")
    print(pd.crosstab(flowers["species"], predicted))
    accuracy = float((flowers["species"] == predicted).mean())
    print(f"accuracy {accuracy:.3f} on {len(flowers)} flowers")
    run.log("accuracy", accuracy)
    outputs = Path("outputs")
    outputs.mkdir(exist_ok=True)
    flowers.assign(predicted=predicted).to_csv(outputs / "predictions.csv", index=False)
    run.complete()


if __name__ == "__main__":
    main()
