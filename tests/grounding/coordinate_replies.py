"""What models of many families reply, and the boxes and points in image pixels that their conventions make of it.

Three images, width x height: WIDE is 640 x 480, TALL 333 x 1000, SQUARE 224 x 224. Qwen2.5-VL sees them as multiples
of 28 with at least 200,704 pixels: 640/28 = 22.9 and 480/28 = 17.1 give 23 x 17 patches, 644 x 476; 333/28 = 11.9 and
1000/28 = 35.7 give 12 x 36, 336 x 1008; 224 x 224 = 50,176 is a quarter of the least, so 448 x 448.
On WIDE a thousandth is 0.64 x 0.48 pixels, a hundredth 6.4 x 4.8, on TALL 0.333 x 1 and 3.33 x 10.
"""

# ruff: noqa: RUF001 -- full-width and other scripts
from __future__ import annotations

from typing import NamedTuple

from pixfound_tasks.masks import Size

WIDE, TALL, SQUARE = (480, 640), (1000, 333), (224, 224)
BOX = (64, 120, 320, 360)  # 100, 250, 500, 750 thousandths of WIDE
TALL_BOX = (33.3, 250, 166.5, 750)  # the same of TALL
BIN = 224 / 1024  # PaliGemma's bin on SQUARE
CENTRES = (124.5 * 0.64, 249.5 * 0.48, 500.5 * 0.64, 750.5 * 0.48)  # Florence's bins 124, 249, 500, 750 on WIDE


class Reply(NamedTuple):
    family: str
    text: str
    convention: str | None
    boxes: tuple[tuple[float, ...], ...] | None = None
    points: tuple[tuple[float, ...], ...] | None = None
    size: Size = WIDE


class Unread(NamedTuple):
    text: str
    convention: str | None
    reason: str


REPLIES = [
    # 161 x 640/644 = 160, 119 x 480/476 = 120, ...; on TALL 112 x 333/336 = 111, 252 x 1000/1008 = 250, ...
    Reply("qwen2.5-vl", '```json\n[\n\t{"bbox_2d": [161, 119, 483, 357], "label": "dog"}\n]\n```',
          "resized", ((160, 120, 480, 360),)),
    Reply("qwen2.5-vl", '```json\n[{"bbox_2d": [112, 252, 224, 504], "label": "the man"}]\n```',
          "resized", ((111, 250, 222, 500),), size=TALL),
    Reply("qwen2.5-vl", '{"bbox_2d": [100, 120, 300, 400]}', "resized", ((50, 60, 150, 200),), size=SQUARE),
    Reply("qwen2.5-vl",
          '[{"bbox_2d": [0, 0, 322, 238], "label": "a"}, {"bbox_2d": [322, 238, 644, 476], "label": "b"}]',
          "resized", ((0, 0, 320, 240), (320, 240, 640, 480))),
    Reply("qwen2.5-vl", '```json\n[{"point_2d": [161, 357], "label": "nose"}]\n```', "resized", None, ((160, 360),)),
    Reply("qwen2.5-vl", '<points x1="161" y1="119" x2="483" y2="357" alt="cakes">cakes</points>',
          "resized", None, ((160, 120), (480, 360))),
    # With 3,136 to 12,845,056 pixels SQUARE stays 224 x 224; with factor 32 WIDE is 640 x 480 itself.
    Reply("qwen2.5-vl", '{"bbox_2d": [50, 60, 150, 200]}',
          "resized:28:3136:12845056", ((50, 60, 150, 200),), size=SQUARE),
    Reply("qwen2.5-vl", '{"bbox_2d": [64, 48, 320, 240]}', "resized:32:3136:12845056", ((64, 48, 320, 240),)),
    # 500 is 24 below the lower edge 476, less than a patch of 28: to the edge.
    Reply("qwen2.5-vl", '{"bbox_2d": [161, 119, 483, 500]}', "resized", ((160, 120, 480, 480),)),
    Reply("qwen2.5-vl", "The dog is here: [161, 119, 483, 357].", "resized", ((160, 120, 480, 360),)),
    Reply("qwen2-vl", "<|object_ref_start|>the dog<|object_ref_end|><|box_start|>(100,250),(500,750)<|box_end|>",
          None, (BOX,)),
    Reply("qwen2-vl", "the dog(100,250),(500,750)", "thousand", (BOX,)),
    Reply("qwen2-vl", "<|box_start|>(100,250),(500,750), (0,0),(1000,500)<|box_end|>", None, (BOX, (0, 0, 640, 240))),
    Reply("qwen2-vl", "<think>perhaps (1,2),(3,4)</think>\n<answer>(100,250),(500,750)</answer>",
          "thousand", (TALL_BOX,), size=TALL),
    Reply("qwen-vl", "<ref>the dog</ref><box>(100,250),(500,750)</box>", None, (BOX,)),
    Reply("qwen-vl", "<ref>dogs</ref><box>(100,250),(500,750)</box><box>(0,0),(250,500)</box>",
          None, (BOX, (0, 0, 160, 240))),
    Reply("qwen3-vl", '```json\n[\n  {"bbox_2d": [100, 250, 500, 750], "label": "dog"}\n]\n```', "thousand", (BOX,)),
    Reply("qwen3-vl", '[{"point_2d": [500, 250], "label": "nose"}, {"point_2d": [0, 1000]}]',
          "thousand", None, ((320, 120), (0, 480))),
    # Cut off by the token limit: the two whole boxes count.
    Reply("qwen3-vl", '[{"bbox_2d": [100, 250, 500, 750], "label": "dog"}, {"bbox_2d": [0, 0, 500, 500], "label": "c',
          "thousand", (BOX, (0, 0, 320, 240))),
    Reply("qwen3-vl", '```json\n[{"bbox_2d": [100, 250, 500, 750], "label": "dog"}, {"bbox_2d": [0, 0, 5',
          "thousand", (TALL_BOX,), size=TALL),
    Reply("internvl", "<ref>the dog</ref><box>[[100, 250, 500, 750]]</box>", None, (BOX,)),
    Reply("internvl", "dog[[100, 250, 500, 750], [0, 0, 999, 1000]]", "thousand", (BOX, (0, 0, 639.36, 480))),
    Reply("internvl", "<ref>men</ref><box>[[100,250,500,750],[500,0,1000,500]]</box>",
          None, (TALL_BOX, (166.5, 0, 333, 500)), size=TALL),
    # At times it answers in fractions (simular-ai/Agent-S, pull request 159).
    Reply("internvl", "[0.1, 0.25, 0.5, 0.75]", "thousand", (BOX,)),
    Reply("gemini", '```json\n[{"box_2d": [250, 100, 750, 500], "label": "dog"}]\n```', None, (BOX,)),
    Reply("gemini", '[{"box_2d": [250, 100, 750, 500], "mask": "data:image/png;base64,iVBORw0KGgo=", "label": "dog"}]',
          "thousand_yx", (TALL_BOX,), size=TALL),
    Reply("gemini", '[{"point": [250, 500], "label": "nose"}]', "thousand_yx", None, ((320, 120),)),
    Reply("gemini", "[250, 100, 750, 500]", "thousand_yx", (BOX,)),
    Reply("gemma3",
          'Here it is:\n```json\n[\n  {"box_2d": [250, 100, 750, 500], "label": "cat"}\n]\n```\nAnything else?',
          None, (BOX,)),
    # y 256/1024 x 480 = 120, x 128/1024 x 640 = 80, ...
    Reply("paligemma", "<loc0256><loc0128><loc0768><loc0640> dog", None, ((80, 120, 400, 360),)),
    Reply("paligemma", "<loc0000><loc0000><loc0512><loc0256> cat ; <loc0512><loc0256><loc1023><loc1023> cat",
          None, ((0, 0, 56, 112), (56, 112, 1023 * BIN, 1023 * BIN)), size=SQUARE),
    Reply("paligemma", "<loc0512><loc0256><loc0768><loc0768><seg010><seg021><seg127> dog",
          None, ((83.25, 500, 249.75, 750),), size=TALL),
    Reply("molmo", '<point x="10.5" y="20.0" alt="the dog">the dog</point>', None, None, ((67.2, 96),)),
    Reply("molmo", ' <points x1="10.0" y1="20.5" x2="50.0" y2="99.5" alt="eyes">eyes</points>',
          None, None, ((33.3, 205), (166.5, 995)), size=TALL),
    Reply("molmo", 'Counting the <points x1="50" y1="50" x2="100" y2="25" alt="a">a</points> shows a total of 2.',
          "percent", None, ((320, 240), (640, 120))),
    Reply("molmo", '<points x1="10.0" y1="20.5" x2="50.0" y2="99.5" x3="7',
          None, None, ((33.3, 205), (166.5, 995)), size=TALL),
    Reply("molmo2", '<points coords="1 1 500 250 2 100 750">dogs</points>', None, None, ((320, 120), (64, 360))),
    # (124 + 0.5)/1000 x 640, ...
    Reply("florence-2", "</s><s>dog<loc_124><loc_249><loc_500><loc_750></s>", None, (CENTRES,)),
    Reply("florence-2", "dog<loc_124><loc_249><loc_500><loc_750><loc_0><loc_0><loc_999><loc_999>",
          None, (CENTRES, (0.32, 0.24, 639.68, 479.76))),
    # Patch 44 is row 1, column 12 of 32, patch 863 row 26, column 31; a cell of WIDE is 20 x 15 pixels.
    Reply("kosmos-2",
          "<grounding>An image of<phrase> a snowman</phrase><object><patch_index_0044><patch_index_0863></object>",
          None, ((250, 22.5, 630, 397.5),)),
    # One row: the outer edges, columns 0 to 3 of row 0, and rows 0 to 1 of column 0.
    Reply("kosmos-2",
          "<object><patch_index_0000><patch_index_0003></delimiter_of_multi_objects/>"
          "<patch_index_0000><patch_index_0032></object>",
          None, ((0, 0, 80, 15), (0, 0, 20, 30))),
    # Padded to 640 x 640, 80 pixels above and below: y 0.25 x 640 - 80 = 80, ...; TALL 333.5 pixels at the sides.
    Reply("shikra", "The dog[0.250,0.250,0.750,0.750] barks.", "fraction_padded", ((160, 80, 480, 400),)),
    Reply("shikra", "men[0.350,0.100,0.500,0.400;0.500,0.500,0.600,1.000]",
          "fraction_padded", ((16.5, 100, 166.5, 400), (166.5, 500, 266.5, 1000)), size=TALL),
    # The part in the bar above the image is cut off.
    Reply("llava-1.5", "[0.25, 0.0, 0.75, 0.75]", "fraction_padded", ((160, 0, 480, 400),)),
    # A square of 480 cut out, 80 pixels off the sides: x 80 + 0.25 x 480 = 200, ...
    Reply("llava-1.5", "[0.25, 0.5, 0.75, 1.0]", "fraction_cropped", ((200, 240, 440, 480),)),
    Reply("llava-1.5", "[0.1, 0.25, 0.5, 0.75]", "fraction_padded", ((22.4, 56, 112, 168),), size=SQUARE),
    Reply("kimi-vl", '{"bbox_2d": [0.100, 0.250, 0.500, 0.750]}', None, (BOX,)),
    Reply("moondream", '{"objects": [{"x_min": 0.1, "y_min": 0.25, "x_max": 0.5, "y_max": 0.75}]}', None, (BOX,)),
    Reply("moondream", '{"points": [{"x": 0.5, "y": 0.25}]}', "fraction", None, ((320, 120),)),
    Reply("cogvlm", "The dog is at [[100,250,500,750]].", "thousand", (BOX,)),
    Reply("cogvlm", "[[100,250,500,750;000,000,250,500]]", "thousand", (BOX, (0, 0, 160, 240))),
    Reply("cogvlm", "dog [[003,123,456,789]]", "thousand", ((0.999, 123, 151.848, 789),), size=TALL),
    Reply("ferret", "The dog [100, 250, 500, 750] is next to a cat [0, 0, 250, 500].",
          "thousand", (BOX, (0, 0, 160, 240))),
    # 333/999 is a third.
    Reply("deepseek-vl2", "<|ref|>The giraffe.<|/ref|><|det|>[[333, 0, 666, 999]]<|/det|>",
          None, ((640 / 3, 0, 1280 / 3, 480),)),
    Reply("deepseek-vl2", "<|ref|>dogs<|/ref|><|det|>[[0, 0, 333, 333], [333, 333, 999, 999]]<|/det|>",
          "thousand", ((0, 0, 224 / 3, 224 / 3), (224 / 3, 224 / 3, 224, 224)), size=SQUARE),
    Reply("deepseek-vl2", "dog[[0, 0, 333, 999]]", "deepseek", ((0, 0, 640 / 3, 480),)),
    Reply("glm-4.5v", "It is at <|begin_of_box|>[[100, 250, 500, 750]]<|end_of_box|>.", None, (BOX,)),
    Reply("glm-4.1v",
          "<think>At [[1,2,30,40]]?</think><answer><|begin_of_box|>[100,250,500,750]<|end_of_box|></answer>",
          "thousand", (BOX,)),
    Reply("minicpm-v", "<ref>book</ref><box>100 250 500 750</box>", None, (BOX,)),
    Reply("minicpm-v", "<point>500 250</point>", "thousand", None, ((320, 120),)),
    Reply("minigpt-v2", "<p>dog</p> {<10><25><50><75>}", None, (BOX,)),
    Reply("minigpt-v2", "{<10><25><50><75>}<delim>{<0><0><25><50>}", None, (BOX, (0, 0, 160, 240))),
    Reply("gpt", "{'x1': 64, 'y1': 120, 'x2': 320, 'y2': 360}", "pixel", (BOX,)),
    Reply("gpt", '{"x": 64, "y": 120, "width": 256, "height": 240}', "pixel", (BOX,)),
    Reply("gpt",
          '{"objects": [{"label": "it\\"s [1,2,3,4]", "bbox": {"left": 64, "top": 120, "right": 320, "bottom": 360}}]}',
          "pixel", (BOX,)),
    Reply("gpt", "Corners swapped: [320, 360, 64, 120]", "pixel", (BOX,)),
    Reply("gpt", '{"bounding_box": [[64, 120], [320, 360]], "score": [1, 2, 3, 4]}', "pixel", (BOX,)),
    # 2 pixels over: to the edge
    Reply("gpt", "[64, 120, 642, 360]", "pixel", ((64, 120, 640, 360),)),
    Reply("robopoint", "[(0.5, 0.25), (0.1, 0.75)]", "fraction", None, ((320, 120), (64, 360))),
    Reply("robopoint", "(0.5, 0.25)", "fraction", None, ((320, 120),)),
]  # fmt: skip

# Spellings of BOX, in thousandths, as an answer to a prompt for a box.
SPELLINGS = [
    '{"bbox": {"topLeft": [100, 250], "bottomRight": [500, 750]}}',
    '[{"label": "dog", "top_left": {"x": 100, "y": 250}, "bottom_right": {"x": 500, "y": 750}}]',
    '{"bottom_left": [100, 750], "top_right": [500, 250]}', '{"start": [100, 250], "end": [500, 750]}',
    '{"min": {"x": 100, "y": 250}, "max": {"x": 500, "y": 750}}', '{"x": [100, 500], "y": [250, 750]}',
    '{"左上角": (100, 250), "右下角": (500, 750)}', '{"corners": [[100, 250], [500, 750]]}',
    '{"points": [[100, 250], [500, 750]]}', "((100, 250), (500, 750))", "[[[100, 250], [500, 750]]]",
    "The dog: (100, 250) - (500, 750)", '{"bbox": [[100, 250], [500, 250], [500, 750], [100, 750]]}',
    '{"shape_type": "rectangle", "points": [[100, 250], [500, 750]]}', '{"bbox": [[100, 250], [500, 750]',
    "<|begin_of_box|>[[100, 250], [500, 750]]<|end_of_box|>", "<|begin_of_box|>100, 250, 500, 750<|end_of_box|>",
    "<100, 250, 500, 750>", '{"bbox_2d": "100, 250, 500, 750"}', '{"bbox": "[100, 250, 500, 750]"}',
    '["100", "250", "500", "750"]', "100 250 500 750", "Bounding box: 100, 250, 500, 750",
    "坐标：100，250，500，750", "[１００，２５０，５００，７５０]", "【100，250，500，750】",
    "{“bbox_2d”: [100, 250, 500, 750]}",
    "[१००, २५०, ५००, ७५०]", "(x1=100, y1=250, x2=500, y2=750)", "x1: 100, y1: 250, x2: 500, y2: 750",
    "**x_min**: 100\n**y_min**: 250\n**x_max**: 500\n**y_max**: 750", "{xmin: 100, ymin: 250, xmax: 500, ymax: 750}",
    "<rect x='100' y='250' width='400' height='500'/>", '<box label="dog" coords="100,250,500,750"/>',
    "<bndbox><xmin>100</xmin><ymin>250</ymin><xmax>500</xmax><ymax>750</ymax></bndbox>",
    '{"x1": 100, "y1": 250, "w": 400, "h": 500}', '{"cx": 300, "cy": 500, "w": 400, "h": 500}',
    '{"bbox_cxcywh": [300, 500, 400, 500]}', '{"bbox_ltwh": [100, 250, 400, 500]}',
    '{"bbox": [100, 250, 400, 500], "format": "xywh"}', '{"bbox_xyxy": [100, 250, 500, 750]}',
    '{"annotations": [{"category_id": 18, "iscrowd": 0, "bbox": [100, 250, 400, 500]}]}',
    '{"minX": 100, "minY": 250, "maxX": 500, "maxY": 750}', '{"bbox": ["10%", "25%", "50%", "75%"]}',
    "(10 %, 25 %), (50 %, 75 %)", '{"x": "10%", "y": "25%", "width": "40%", "height": "50%"}',
    "[64px, 120px, 320px, 360px]", "[64, 120, 320, 360] px", "64, 120, 320, 360 pixels",
    '{"bbox": [10, 25, 50, 75], "unit": "percent"}', "[１０％，２５％，５０％，７５％]",
    '{"name": "zoom", "arguments": {"bbox": [1, 2, 3, 4]}}\n[100, 250, 500, 750]', r"\boxed{[100, 250, 500, 750]}",
]  # fmt: skip

# The same box, as an outline of four vertices.
OUTLINES = [
    '[{"polygon": [100, 250, 500, 250, 500, 750, 100, 750]}]',
    '{"segmentation": [[100, 250, 500, 250, 500, 750, 100, 750]]}',
    '{"contour": [[100, 250], [500, 250], [500, 750], [100, 750]]}',
    '{"polygon": {"points": [[100, 250], [500, 250], [500, 750], [100, 750]]}}',
    '{"type": "Polygon", "coordinates": [[[100, 250], [500, 250], [500, 750], [100, 750], [100, 250]]]}',
    '{"bbox_2d": [100, 250, 500, 750], "polygon": [[100, 250], [500, 250], [500, 750], [100, 750]]}',
    '{"polygon": "100,250 500,250 500,750 100,750"}',
    '{"polygon": ["10%", "25%", "50%", "25%", "50%", "75%", "10%", "75%"]}',
]

ABSENT = [
    "图中没有狗。", "没有找到狗", "画面中并没有猫", "抱歉，图中没有这样的物体。", "圖中沒有狗。", "无",
    "画像に犬はいません。", "犬は見つかりませんでした。", "該当なし",
    "이미지에 개가 없습니다.", "개를 찾을 수 없습니다.",
    "Auf dem Bild ist kein Hund zu sehen.", "Kein Hund.", "Ich sehe keinen Hund.", "Der Hund ist nicht sichtbar.",
    "Il n'y a pas de chien dans l'image.", "Aucun chien n'est visible.", "Je ne vois pas de chien.",
    "No hay ningún perro en la imagen.", "No veo ningún perro.", "El perro no está presente.",
    "Não há cachorro na imagem.", "Nenhum cachorro.", "Não vejo nenhum cachorro.",
    "На изображении нет собаки.", "Собака не найдена.", "Я не вижу собаку.",
    "لا يوجد كلب في الصورة.", "الكلب غير موجود.", "छवि में कोई कुत्ता नहीं है।", "कुत्ता मौजूद नहीं है।",
    "Dog not found.", "There's no dog.", "I see no dog in the image.", "The dog cannot be seen.", "Answer: None",
    "I looked everywhere, but there is no dog.", "```json\nnull\n```", "<think>Where?</think>None", "{}", "[null]",
    '{"present": False}', '{"found": false, "bbox": null}', '{"absent": true}', '{"dog": null}', '{"bbox": "none"}',
    '{"message": "The object does not exist in the image"}', "[-1, -1, -1, -1]", "(0,0),(0,0)",
    '{"x1": 0, "y1": 0, "x2": 0, "y2": 0}',
    "None", "None.", "none", "null", "No.", "There are none.", "[]", "```json\n[]\n```", '{"boxes": []}', "[[]]",
    '{"bbox_2d": null}', '[{"bbox_2d": [], "label": "cat"}]', "There is no red ball in the image.", "No such object.",
    "The object does not exist in the image.", "The object doesn't exist in this image, so no boxes are generated.",
    "The red ball is not present in the image.", "No red ball is visible.", "Not found.", '["none"]',
    "I don't see any red ball in the image.", "I'm sorry, but I cannot find the red ball.", "No bounding boxes.",
    "The image does not contain a dog.", "Sorry, no dog was found.", "The image doesn't show any dog.",
    "There aren't any dogs here.", "I looked: there is no dog.\n```json\n[]\n```",
]  # fmt: skip

_DECLARE = "set PIXFOUND_COORDINATES"
_NOTHING = "expected a box or a point"
UNREAD = [
    Unread('{"bbox_2d": [135, 114, 200, 300]}', None, _DECLARE),  # Qwen2.5-VL and Qwen3-VL mean different boxes
    Unread('[{"point_2d": [394, 105], "label": "cake"}]', None, _DECLARE),
    Unread("[100, 250, 500, 750]", None, _DECLARE),
    Unread("[0, 0, 1, 1]", None, _DECLARE),
    Unread("the dog(100,250),(500,750)", None, _DECLARE),
    Unread("<point>500 250</point>", None, _DECLARE),
    Unread("(0.5, 0.25)", None, _DECLARE),
    Unread("{'x1': 64, 'y1': 120, 'x2': 320, 'y2': 360}", None, _DECLARE),
    Unread("I see 4 dogs and 2 cats.", "thousand", _NOTHING),
    Unread("The dog is on the left, 4 m away.", None, _NOTHING),
    Unread("", "thousand", _NOTHING),
    Unread("I cannot draw bounding boxes.", "thousand", _NOTHING),
    Unread("I can't identify people in images.", "thousand", _NOTHING),
    Unread("I'm unable to see the image.", "thousand", _NOTHING),
    Unread("No problem.", "thousand", _NOTHING),
    Unread("No image provided.", "thousand", _NOTHING),
    Unread("我无法绘制边界框。", "thousand", _NOTHING),
    Unread("没有看到图片", "thousand", _NOTHING),
    Unread("图中的狗没有戴帽子", "thousand", _NOTHING),
    Unread("画像がありません。", "thousand", _NOTHING),
    Unread("바운딩 박스를 그릴 수 없습니다.", "thousand", _NOTHING),
    Unread("Ich kann keine Begrenzungsrahmen zeichnen.", "thousand", _NOTHING),
    Unread("Je ne vois pas d'image.", "thousand", _NOTHING),
    Unread("No hay duda de que está a la izquierda.", "thousand", _NOTHING),
    Unread("Não vejo a imagem.", "thousand", _NOTHING),
    Unread("Нет, собака слева.", "thousand", _NOTHING),
    Unread("لا أرى الصورة", "thousand", _NOTHING),
    Unread("मैं बॉक्स नहीं बना सकता", "thousand", _NOTHING),
    Unread("There is no doubt that the dog is on the left.", "thousand", _NOTHING),
    Unread('{"label": "dog", "color": [255, 0, 0, 1]}', "thousand", _NOTHING),
    Unread("<think>It may be at [100, 250, 500, 750]", "thousand", "--gen_kwargs max_new_tokens="),
    Unread('{"name": "zoom", "arguments": {"bbox_2d": [20, 20, 400, 400]}}', "thousand", "got a tool call"),
    Unread('[{"name": "zoom", "arguments": {"bbox_2d": [20, 20, 400, 4', "thousand", "got a tool call"),
    Unread("[10%, 25, 50%, 75]", "thousand", "expected one unit"),
    Unread('{"polygon": [[100, 250], [500, 750]]}', "thousand", "expected at least 3 vertices"),
    Unread('{"polygon": [[100, 250], [500, 250], [500, 7', "thousand", "expected at least 3 vertices"),
    Unread('{"polygon": [[100, 250], [500, 250], [2000, 750]]}', "thousand", "expected numbers within 1000 x 1000"),
    Unread("<loc_1><loc_2><loc_3><loc_4><loc_5><loc_6><loc_7>", None, "at least 3 vertices"),
    Unread('{"size": [4, 4], "counts": [1, 2, 3, 4]}', "thousand", _NOTHING),
    Unread("[100, 250, 500, 1500]", "thousand", "expected numbers within 1000 x 1000"),
    Unread("[-50, 250, 500, 750]", "thousand", "expected numbers within 1000 x 1000"),
    Unread('{"bbox_2d": [161, 119, 700, 357]}', "resized", "expected numbers within 644 x 476"),
    Unread("[100, 250, 500, 750]", "pixel", "expected numbers within 640 x 480"),
    Unread("[10, 20, 30, 1.5]", "fraction", "expected numbers within 1 x 1"),
    Unread('<point x="500" y="250" alt="dog">dog</point>', None, "expected numbers within 100 x 100"),
    Unread("<|det|>[[0, 50, 55, 9999]]<|/det|>", None, "expected numbers within 999 x 999"),
    Unread("[1, 2, 3, 1e400]", "pixel", "expected numbers within"),
    Unread(f"[1, 2, 3, {'9' * 40}]", "pixel", "expected numbers within"),
    Unread("[100, 250, 100, 750]", "thousand", "expected a box with an area"),
    Unread("[0.1, 0.0, 0.4, 0.1]", "fraction_padded", "expected a box with an area"),  # all in the bar above the image
    Unread("(0.5, 0.05)", "fraction_padded", "expected a point within the image"),
    Unread('[{"box_2d": [0.25, 0.1, 0.75, 0.5]}]', None, "but got fractions"),
    Unread("<loc0256><loc0128><loc0768> dog", None, "expected 4 location tokens"),
    Unread("<object><patch_index_0044></object>", None, "expected 2 location tokens"),
    Unread("<|ref|>dog<|/ref|><|det|>[[533, 132, 457]]<|/det|>", None, "expected four numbers for a box"),
    Unread('[{"bbox_2d": [135, 114, 2', "thousand", "ends inside a bracket"),
    Unread("<box>[[100, 250, 500", None, "ends inside a bracket"),
]
