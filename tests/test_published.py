import pytest
import torchvision

from archscope.models import architectures
from archscope.published import CONFIDENCES, PROTOCOLS, published


def figure(model, protocol, source):
    rows = published(model)
    rows = rows[(rows.protocol == protocol) & rows.source.str.contains(source, regex=False)]
    assert len(rows) == 1
    return rows.iloc[0]


def test_columns_and_types():
    frame = published()
    assert frame[["top1", "top5"]].dtypes.unique().tolist() == ["float64"]
    assert frame[["params", "macs", "year"]].dtypes.astype(str).unique().tolist() == ["Int64"]
    texts = ["model", "protocol", "crop", "source", "confidence", "note"]
    assert not frame[texts].isna().any(axis=None)
    assert not frame.duplicated().any()


def test_vocabulary_is_closed():
    frame = published()
    assert set(frame.protocol) == set(PROTOCOLS)
    assert set(frame.confidence) == set(CONFIDENCES)


def test_every_model_exists():
    for model in published().model.unique():
        if model.startswith("torchvision:"):
            assert model.removeprefix("torchvision:") in torchvision.models.list_models()
        else:
            assert model in architectures()


def test_every_figure_has_a_source_and_says_something():
    frame = published()
    assert frame.source.str.len().min() > 5
    assert frame[["top1", "top5", "params", "macs"]].notna().any(axis=1).all()


def test_accuracies_are_percentages_and_top5_is_the_easier():
    frame = published()
    assert frame[["top1", "top5"]].stack().dropna().between(30, 100).all()
    both = frame.dropna(subset=["top1", "top5"])
    assert (both.top5 > both.top1).all()


@pytest.mark.parametrize(
    ("model", "protocol", "source", "top1", "top5"),
    [
        ("alexnet", "10-crop", "Krizhevsky", 59.3, 81.8),
        ("alexnet", "single-crop", "BVLC", 57.1, 80.2),
        ("alexnet-owt", "single-crop", "torchvision", 56.522, 79.066),
        ("vgg16", "dense", "Table 3", 74.4, 91.9),
        ("vgg16", "single-crop", "torchvision", 71.592, 90.382),
        ("resnet50", "single-crop", "torchvision", 76.13, 92.862),
        ("torchvision:resnet50", "single-crop", "torchvision", 76.13, 92.862),
        ("resnet50", "single-crop", "fb.resnet.torch", 75.99, 92.98),
        ("resnet50-v1", "10-crop", "1512.03385", 77.15, 93.29),
        ("resnet152-v1", "dense", "1512.03385", 80.62, 95.51),
        ("inception-v4", "single-crop-subset", "1602.07261", 80.0, 95.0),
    ],
)
def test_known_figures(model, protocol, source, top1, top5):
    row = figure(model, protocol, source)
    assert (row.top1, row.top5) == (top1, top5)


def test_papers_own_counts_are_as_printed():
    assert figure("resnet50-v1", "10-crop", "1512.03385").macs == 3_800_000_000
    assert figure("resnet110-cifar", "other", "1512.03385").params == 1_700_000
    assert figure("vgg16", "dense", "Table 3").params == 138_000_000


def test_single_crop_figures_of_torchvision_are_its_own():
    rows = published()
    rows = rows[rows.model.str.startswith("torchvision:") & rows.source.str.contains("V1")]
    for row in rows.itertuples():
        weights = torchvision.models.get_model_weights(row.model.removeprefix("torchvision:"))
        accuracy = weights["IMAGENET1K_V1"].meta["_metrics"]["ImageNet-1K"]
        assert (row.top1, row.top5) == (accuracy["acc@1"], accuracy["acc@5"])


def test_a_model_nobody_evaluated_has_no_rows():
    assert published("inception-naive").empty
