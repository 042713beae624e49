"""PixMMVP: 300 photographs of MMVP in 150 pairs (arXiv 2502.04192)."""

from pixfound_tasks.benchmarks.benchmark import SAM, Benchmark, Emerged, HubFiles, Published

ANNOTATIONS = "IVUlab/pixmmvp"
IMAGES = "MMVP/MMVP"
ANNOTATION_FILES = ("Objects.csv", "Segmentations.json", "visual_patterns.csv")
REPOSITORIES = {ANNOTATIONS: [f"*{name}" for name in ANNOTATION_FILES], IMAGES: ["*Questions.csv", "*.jpg"]}
FOLDER = "PixMMVP"
LAYOUT = f"PixMMVP/ with Questions.csv, {', '.join(ANNOTATION_FILES)} and the images as MMVP Images/1.jpg, 2.jpg, ..."

EXPECTED = ("Questions.csv", *ANNOTATION_FILES, *(f"{number}.jpg" for number in range(1, 301)))


def _emerged(model: str, tenths: tuple[int, ...], *concepts: int) -> Emerged:
    names = ("appearance", "location", "part", "context", "object", "state")
    return Emerged(model, tenths, dict(zip(names, concepts)))


BENCHMARK = Benchmark(
    name="pixmmvp",
    title="PixMMVP",
    builder="pixfound_tasks.benchmarks.pixmmvp:builder",
    document_count=300,
    is_paired=True,
    segmenter=SAM,
    licence="Images and questions are those of the data set MMVP/MMVP, expressions, masks and patterns those of "
    "IVUlab/pixmmvp. The terms of both apply to this copy; look them up there before you pass it on.",
    files=HubFiles(FOLDER, LAYOUT, ANNOTATIONS, REPOSITORIES, EXPECTED),
    published=Published(
        counts={
            "images": 300,
            "pairs": 150,
            "images without an expression": 14,
            "images with an empty mask": 53,
            "images of pattern Presence of Specific Features": 81,
            "images of pattern Positional and Relational Context": 56,
            "images of pattern State and Condition": 38,
            "images of pattern Color and Appearance": 28,
            "images of pattern Viewpoint and Perspective": 24,
            "images of pattern Quantity and Count": 24,
            "images of pattern Orientation and Direction": 23,
            "images of pattern Structural and Physical Characteristics": 14,
            "images of pattern Text": 12,
        },
        annotation_counts={"Segmentations.json": 384},
        checksums={
            "Objects.csv": "9d7b4ebcde03b1319cc651aab6eab72e366d374bc297fb0a3a9d9d05556ac816",
            "Segmentations.json": "ca101b1ed12180cc02cdca118bda125f8ccce47630198cba250270c92d2bcb24",
            "visual_patterns.csv": "c1ef6a6a4a361e544ce9c7365ddffcf4b3540b088189f765cc7ee60e9278f8ba",
        },
        without_expression=(
            "23", "24", "105", "106", "145", "146", "241", "242", "273", "274", "295", "296", "299", "300",
        ),
    ),
    emerged=(
        _emerged("LLaVA-1.5 7B", (31, 9, 15, 24, 27, 27, 50, 28, 29, 7), 32, 21, 37, 19, 144, 3),
        _emerged("LLaVA-1.5 13B", (29, 6, 15, 29, 18, 35, 41, 37, 29, 8), 35, 16, 38, 17, 143, 3),
        _emerged("Cambrian-1 8B", (23, 29, 30, 29, 31, 30, 30, 23, 12, 10), 36, 15, 56, 2, 114, 25),
    ),
    emerged_source="the study's Figure 6, read off the picture, so approximate; its concepts may be one or two each",
)  # fmt: skip
