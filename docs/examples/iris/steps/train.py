"""Step `train`: fit a softmax regression by gradient descent."""

import argparse
import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
from azureml.core import Run
from softmax import Softmax


def parse_arguments(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=json.loads, default={}, help="lr and epochs")
    parser.add_argument("--input-folder", type=Path, required=True, help="contains train.csv and test.csv")
    parser.add_argument("--output-folder", type=Path, required=True, help="folder for model.json and test.csv")
    return parser.parse_args(argv)


def main() -> None:
    run = Run.get_context()
    args = parse_arguments()
    flowers = pd.read_csv(args.input_folder / "train.csv")
    features, species = flowers.drop(columns="species"), flowers["species"]
    epochs = args.config.get("epochs", 200)
    model = Softmax.start(features, species)
    for epoch in range(epochs):
        loss = model.learn(features, species, args.config.get("lr", 0.5))
        if epoch % max(1, epochs // 10) == 0 or epoch == epochs - 1:
            print(f"epoch {epoch:4}  loss {loss:.4f}")
            run.log("loss", loss)
    run.log("train_accuracy", float(np.mean(model.predict(features) == species)))
    args.output_folder.mkdir(parents=True, exist_ok=True)
    (args.output_folder / "model.json").write_text(model.to_json())
    shutil.copy(args.input_folder / "test.csv", args.output_folder)
    run.complete()


if __name__ == "__main__":
    main()
