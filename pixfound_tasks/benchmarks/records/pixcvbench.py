"""PixCV-Bench: 1,438 photographs without pairs, from the 2D part of CV-Bench (arXiv 2502.04192)."""

from pixfound_tasks.benchmarks.benchmark import SAM, Benchmark, HubFiles, Published

QUESTIONS = "nyu-visionx/CV-Bench"
SOURCES = ("ADE20K", "COCO")
SEGMENTATIONS = "FinalSegmentations.json"
ANNOTATIONS = "IVUlab/pixcvbench"
# CV-Bench's README lists its other files.
REPOSITORIES = {ANNOTATIONS: ["*Objects.csv", f"*{SEGMENTATIONS}"], QUESTIONS: ["README.md"]}
EXPECTED = ("Objects.csv", *(f"{source}/{SEGMENTATIONS}" for source in SOURCES), "*.parquet")
FOLDER = "PixCVBench"
IMAGE_FOLDERS = {"ADE20K": "ADE20K/validation/images", "COCO": "COCO/coco/images"}
LAYOUT = (
    f"PixCVBench/ with ADE20K/validation/{SEGMENTATIONS}, COCO/{SEGMENTATIONS}, CV-Bench/test.parquet and "
    f"CV-Bench/Objects.csv, and, if that parquet file has no images, {' and '.join(IMAGE_FOLDERS.values())}"
)

BENCHMARK = Benchmark(
    name="pixcvbench",
    title="PixCV-Bench",
    builder="pixfound_tasks.benchmarks.pixcvbench:builder",
    document_count=1438,
    is_paired=False,
    paper_rule="first letter",
    has_sources=True,
    segmenter=SAM,
    licence="Images and questions are those of the data set nyu-visionx/CV-Bench, the images from ADE20K and COCO; "
    "expressions and masks are those of IVUlab/pixcvbench. The terms of all of them apply to this copy; look them up "
    "there before you pass it on.",
    first_index=0,
    files=HubFiles(FOLDER, LAYOUT, ANNOTATIONS, REPOSITORIES, EXPECTED),
    published=Published(
        counts={
            "images": 1438,
            "images from ADE20K": 633,
            "images from COCO": 805,
            "Count questions": 788,
            "Relation questions": 650,
            "images with an empty mask": 1,
        },
        annotation_counts={"ADE20K/FinalSegmentations.json": 1366, "COCO/FinalSegmentations.json": 1672},
        checksums={
            "Objects.csv": "e47ee51dc7cc963590934a50d7deb1ef43856d63587153670aa66b5bc7790608",
            "ADE20K/FinalSegmentations.json": "6538461659c98aa82f722825276320d9b24618e0f95f58e1f8602a90148cdebe",
            "COCO/FinalSegmentations.json": "4b348d03c4f8677ccc1b3cf03edb992d0362d30b8df9324c60dc461786f40bcb",
        },
    ),
)
