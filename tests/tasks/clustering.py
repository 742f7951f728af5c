"""Tiny inputs of the stage cluster, and its params, for the tests that are split by subject."""

from pathlib import Path

from mintmark.classify.out_of_fold import Folds
from mintmark.classify.training import Recipe
from mintmark.cluster import kmeans, self_labels, training
from mintmark.data.images import ImageSet, write_images
from mintmark.fidelity.comparison import Settings
from mintmark.fidelity.regions import Rules
from tasks.cluster import Params

PARAMS = Params(
    seed=0,
    threads=1,
    device="cpu",
    num_clusters=None,
    kmeans=kmeans.Recipe(starts=3, steps=20),
    dti=training.Recipe(
        starts=3,
        priced_starts=0.5,
        priced=0.6,
        price_rate=0.025,
        steps=60,
        transformations=("affine",),
        identity_steps=30,
        plateau=0.02,
        challenge_every=10,
        cooldown=0.2,
        batch_size=32,
        learning_rate=5e-3,
        prototype_learning_rate=2e-2,
        restart_below=0.2,
        restart_noise=0.02,
        committee=2,
        voters=3,
        width=2,
        num_features=8,
        hidden=4,
    ),
    self_labels=self_labels.Recipe(
        rounds=0,
        least_kept=0.5,
        folds=Folds(
            number=3,
            recipe=Recipe(steps=30, batch_size=16, learning_rate=1e-2, weight_decay=0.0, width=4),
            workers=1,
            threads=1,
        ),
    ),
    regions=Rules(neighbours=3, covered_from=0.5, copy_quantile=0.05, halvings=3),
    fidelity=Settings(
        draws=3,
        max_records=15,
        neighbours=3,
        training=Recipe(steps=20, batch_size=32, learning_rate=1e-2, weight_decay=0.0, width=4),
        inception=None,
        dinov2=None,
    ),
)


def write(data_dir: Path, train: ImageSet, release: ImageSet, test: ImageSet) -> Path:
    write_images(data_dir / "split" / "train.parquet", train)
    write_images(data_dir / "split" / "test.parquet", test)
    write_images(data_dir / "anonymise" / "release.parquet", release)
    return data_dir


def write_inputs(folder: Path, toy_images) -> Path:
    """Three easy classes, a tenth unlabelled; the release leaves out the first class."""
    train, fresh = toy_images(num=90, seed=0), toy_images(num=150, seed=1)
    codes = train.codes.copy()
    codes[::10] = -1
    train = ImageSet(ids=train.ids, codes=codes, images=train.images, classes=train.classes)
    return write(folder / "data", train, fresh.take(fresh.codes > 0), toy_images(num=120, seed=2))
