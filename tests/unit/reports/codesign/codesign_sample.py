"""A co-design study made up by hand: figures as plausible as they are untrue."""

import math

from bisparse.sim.results.simulation_result import Assumption, Input
from bisparse.sim.studies.codesign.codesign import Codesign, CodesignPoint, EpochMean, PhaseCost
from bisparse.sim.studies.statistics import Estimate, estimate, paired_difference

SETTINGS = {
    "epochs": 10, "batch": 100, "optimizer": "sgd-momentum",
    "learning_rate": 0.1, "weight_decay": 5e-4, "warmup_epochs": 1.0, "precision": "fp32", "shift": 0, "flip": False,
}  # fmt: skip
STEPS, EPOCHS = 350, 10
DENSE_ACCURACY = (0.971, 0.974, 0.9725)
JITTER = (0.0004, -0.0007, 0.0011)

# recipe, ratio, loss of accuracy, share of time, share of energy
SPARSE = (
    ("sr-ste", "2:4", 0.0005, 0.88, 0.90), ("sr-ste", "2:8", 0.0021, 0.80, 0.84),
    ("sdgp", "2:4", 0.0009, 0.89, 0.91), ("sdgp", "2:8", 0.0049, 0.82, 0.86),
    ("sdwp", "2:4", 0.0002, 0.87, 0.90), ("sdwp", "2:8", 0.0018, 0.79, 0.84),
    ("bdwp", "2:4", 0.0016, 0.74, 0.79), ("bdwp", "2:8", 0.0046, 0.62, 0.69),
    ("sdgf-stepwise", "2:4", 0.0011, 0.93, 0.95), ("sdgf-stepwise", "2:8", 0.0019, 0.86, 0.9),
)  # fmt: skip


def curve(last, seconds, joules):
    return tuple(
        EpochMean(
            epoch=epoch,
            seconds=seconds * epoch / EPOCHS,
            joules=joules * epoch / EPOCHS,
            validation_accuracy=last * (1 - 0.6 * math.exp(-0.7 * epoch)),
            validation_loss=0.08 + 0.4 * math.exp(-0.7 * epoch),
        )
        for epoch in range(1, EPOCHS + 1)
    )


def point(recipe, sparsity, accuracy, opponents, time_share=1.0, energy_share=1.0, **given):
    seconds, joules = 42.0 * time_share, 310.0 * energy_share
    loss = tuple(0.1 + (1 - value) for value in accuracy)
    known = {
        "recipe": recipe,
        "title": f"{recipe} in words",
        "sparsity": sparsity,
        "optimizer": "sgd-momentum",
        "learning_rate": 0.1,
        "baseline": sparsity == "dense",
        "seeds": tuple(range(len(accuracy))),
        "test_accuracy": tuple(accuracy),
        "test_loss": loss,
        "accuracy": estimate(accuracy),
        "loss": estimate(loss),
        "accuracy_difference": paired_difference(accuracy, opponents),
        "loss_difference": paired_difference(loss, [0.1 + (1 - value) for value in opponents]),
        "switch_steps": (None,) * len(accuracy),
        "steps": STEPS,
        "step_seconds": seconds / STEPS,
        "training_seconds": seconds,
        "training_joules": joules,
        "speedup_vs_dense": 1 / time_share,
        "energy_ratio_vs_dense": energy_share,
        "phases": (
            PhaseCost(
                kind="sparse" if sparsity != "dense" else "dense", sparsity=sparsity, costs_as=sparsity, reason="",
                steps=float(STEPS), step_seconds=seconds / STEPS, step_joules=joules / STEPS,
            ),
        ),
        "curve": curve(sum(accuracy) / len(accuracy), seconds, joules),
        "patterns": {} if sparsity == "dense" else {name: {"FF": sparsity, "BP": sparsity} for name in LAYERS},
        "dense_reasons": {} if sparsity == "dense" else dict.fromkeys(("conv1:FF", "conv1:BP"), "first convolution"),
        "trained_seconds": 9.5,
    }  # fmt: skip
    if sparsity == "dense":
        known["accuracy_difference"] = known["loss_difference"] = Estimate(mean=0.0, half_width=None)
    return CodesignPoint(**known | given)


LAYERS = ("conv2", "conv3", "conv4", "classifier")


def study(seeds=3, sparse=SPARSE, with_step=True):
    dense = DENSE_ACCURACY[:seeds]
    adam = tuple(value - 0.003 for value in dense)
    points = [point("dense", "dense", dense, dense)]
    if with_step:
        points.append(
            point("dense", "dense", adam, adam, 1.04, 1.05, optimizer="adam", learning_rate=1e-3,
                  speedup_vs_dense=1.0, energy_ratio_vs_dense=1.0)
        )  # fmt: skip
    for recipe, ratio, loss, time_share, energy_share in sparse:
        accuracy = [value - loss + jitter for value, jitter in zip(dense, JITTER, strict=False)]
        points.append(point(recipe, ratio, accuracy, dense, time_share, energy_share))
    if with_step:
        accuracy = [value - 0.004 + jitter for value, jitter in zip(adam, JITTER, strict=False)]
        points.append(
            point("step", "2:8", accuracy, adam, 0.93, 0.95, optimizer="adam", learning_rate=1e-3,
                  speedup_vs_dense=1.04 / 0.93, energy_ratio_vs_dense=0.95 / 1.05,
                  switch_steps=tuple(range(100, 100 + seeds)))
        )  # fmt: skip
    return Codesign(
        bisparse_version="0.1.0",
        model="convnet",
        data="mnist-5k",
        hardware="sat-vcu1525",
        inputs={
            "hardware": Input(name="sat-vcu1525", sha256="a" * 64),
            "recipe bdwp": Input(name="bdwp", sha256="b" * 64),
            "data": Input(name="mnist-5k", sha256="c" * 64),
        },
        title={"hardware": "SAT reference design on a Xilinx VCU1525 (N:M training accelerator)"},
        settings=SETTINGS,
        parameters=72_000,
        layers=("conv1", *LAYERS),
        steps_per_epoch=STEPS // EPOCHS,
        precision_simulated="fp16",
        points=tuple(points),
        assumptions=(
            Assumption(parameter="recipe.bdwp", value="bdwp", status="assumed", source="TCAD 2023"),
            Assumption(parameter="training.epochs", value=10, status="given", source="given for this study"),
            Assumption(parameter="hardware.clock_hz", value="200 MHz", status="assumed", source="not public"),
        ),
    )
