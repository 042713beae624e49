class ImageBaseDataset:
    MODALITY = "IMAGE"

    def __init__(self, dataset):
        self.dataset_name = dataset
        self.data = self.load_data(dataset)
        self.data["index"] = [int(each) if each.isdecimal() else each for each in self.data["index"]]

    def build_prompt(self, line):
        return [
            {"type": "image", "value": line["image_path"]},
            {"type": "text", "value": line["question"]},
        ]
