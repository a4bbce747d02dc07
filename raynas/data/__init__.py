"""Data: where images come from, how they are split, how they are augmented.

    rn.Train(rn.data.digits(), epochs=9)
    rn.Train(rn.data.fashion_mnist("data", train_size=4000, download=True), epochs=9)

A source is a frozen dataclass of JSON settings; `check()` looks, `load()` reads. Importing this package loads neither
torch nor torchvision, scikit-learn nor pyarrow. `raynas.data.augment` needs torch and is imported by its own name.
"""

from raynas.data.digits import Digits
from raynas.data.image_folder import Folder
from raynas.data.images import DataSource, Images, Splits
from raynas.data.npz_archive import Npz
from raynas.data.parquet_table import Parquet
from raynas.data.split import complete, stratified_split
from raynas.data.vision import Cifar10, Cifar100, FashionMnist

digits = Digits
fashion_mnist = FashionMnist
cifar10 = Cifar10
cifar100 = Cifar100
folder = Folder
npz = Npz
parquet = Parquet

__all__ = [
    "Cifar10",
    "Cifar100",
    "DataSource",
    "Digits",
    "FashionMnist",
    "Folder",
    "Images",
    "Npz",
    "Parquet",
    "Splits",
    "cifar10",
    "cifar100",
    "complete",
    "digits",
    "fashion_mnist",
    "folder",
    "npz",
    "parquet",
    "stratified_split",
]
