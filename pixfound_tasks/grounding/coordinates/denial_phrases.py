# ruff: noqa: RUF001 -- letters of other scripts
"""How models say that an object is absent, by language, as regular expressions over lower-case sentences.

`EXCUSES` are phrases that look like denials but are not about the object: no doubt, no problem, no image to see, no way
to draw. They are removed before a denial is looked for.
"""

from __future__ import annotations

_IN_IMAGE = r"in (?:the|this) (?:\w+ )?(?:image|picture|photo|scene)"
_SEEN = rf"(?:present|visible|shown|depicted|found|detected|seen|located|there\b|{_IN_IMAGE})"
_FINDS = r"(?:see|find|locate|detect|spot|observe|notice)"
_FAILS = (
    r"(?:do not|don't|did not|didn't|cannot|can't|can not|could not|couldn't|unable to|not able to|failed to)"
    r"(?: actually| clearly)?"
)
_NO_THING = (
    r"no (?!doubt|question|way|need|problem|idea|image|picture|photo|response|answer|comment|thank|worries|access"
    r"|information|permission|ability|longer|matter|coordinates?\b|more\b|other\b)"
)
_THE_IMAGE = r"(?:the|this) (?:given |provided )?(?:image|picture|photo|scene)"

_ENGLISH = (
    r"^(?:none|no|null|nothing|nil|n/a|absent|0 objects?)(?: of them| found| detected| present| visible)?\W*$",
    r"^(?:the )?(?:answer|result|output|bounding box(?:es)?|box(?:es)?|bbox|coordinates?|detections?|objects?)\W{1,3}"
    r"(?:none|null|nothing|n/a|not found|absent|empty)\W*$",
    rf"\bthere(?: is|'s| are| was| were| (?:seems?|appears?) to be) (?:{_NO_THING}|none\b|not an?\b|not any\b)",
    r"\bthere (?:isn't|aren't|wasn't|weren't) (?:an?|any)\b",
    r"\bthere (?:doesn't|does not|don't|do not) (?:seem|appear) to be (?:an?|any)\b",
    r"\b(?:does|do|did)(?: not|n't) (?:exist|appear\b(?! to))",
    rf"\b(?:does|do|did)(?: not|n't) (?:appear|seem) to (?:exist|be {_SEEN})",
    rf"\b(?:is|are|was|were)(?: not|n't) {_SEEN}",
    r"\b(?:is|are) (?:absent|missing) from (?:the|this)\b",
    rf"\b(?:can|could)(?:not|n't| not) be {_SEEN}",
    rf"\b{_FAILS} {_FINDS} (?:an?|any|the)\b",
    r"\bdid(?: not|n't) identify (?:any|an?)\b",
    rf"\bi (?:can )?see {_NO_THING}",
    r"\bno such\b",
    rf"(?:^|, ){_NO_THING}.{{1,80}}? (?:exists?\b|(?:can|could) be |{_SEEN})",
    rf"^{_NO_THING}(?:[\w'-]+ ){{0,4}}[\w'-]+\W*$",
    rf"^(?:[\w'-]+ ){{0,6}}not {_SEEN}",
    r"^no (?:bounding )?box(?:es)?\b",
    rf"\b{_THE_IMAGE} (?:does not|doesn't) (?:contain|show|have|include|depict|feature)\b",
    rf"\b{_THE_IMAGE} (?:contains|shows|has|includes|depicts) {_NO_THING}",
)
_ENGLISH_EXCUSES = (
    rf"\b{_FAILS} {_FINDS} (?:(?:the|this|that|any|an?|uploaded|attached|exact|precise) )+"
    r"(?:images?|pictures?|photos?|files?|attachments?|urls?|links?|coordinates|bounding|box(?:es)?\b|location)",
    rf"\b{_FAILS} {_FINDS} (?:the|any|an?) (?:exact|precise)\b",
    r"\b(?:not|n't) present (?:you|it|them|to|with)\b",
)
_CHINESE = (
    r"(?:图|圖|图像|圖像|图片|圖片|照片|画面|畫面|场景|場景)[中里裡内內上]?(?:并|並|似乎|都)?(?:没有|沒有|无|無|不包含|不存在)",
    r"^(?:抱歉|对不起|對不起)?\W*(?:没有|沒有|无|無|不存在|空)(?!法).{0,12}$",
    r"(?:没有|沒有|未能?|没能?|沒能?|无法|無法|不能)(?:在.{1,12}?[中里裡上])?"
    r"(?:找到|发现|發現|检测到|檢測到|看到|看见|看見|出现|出現|显示|顯示)",
    r"找不到|看不到|不存在|不在(?:图|圖|画面|畫面|照片|这|這)|查无",
)
_CHINESE_EXCUSES = (
    r"(?:没有|沒有|未能?|没能?|沒能?|无法|無法|不能|看不|找不)(?:看)?(?:找到|看到|看见|显示|到)?"
    r"(?:您|你|任何|这张|這張)?.{0,3}(?:图片|图像|圖片|圖像|照片|坐标|座標|边界框|邊界框)$",
    r"没有(?:疑问|疑問|办法|问题|能力|足够|权限)|沒有(?:疑問|辦法|問題|能力)|毫?[无無](?:疑|论|論|问题|需)",
)
_JAPANESE = (
    r"(?:見つかり|見当たり|見つけられ|確認でき|検出され|検出でき|見え)(?:ません|ない|なかっ)",
    r"(?:存在し|写ってい|映ってい|含まれてい|描かれてい)(?:ません|ない)",
    r"(?<!で)[はがも](?:ありません|いません)|[はがも](?:いない|ない)$",
    r"^(?:なし|該当なし|該当する.{0,12}なし|ありません|いません)$",
)
_JAPANESE_EXCUSES = (
    r"(?:画像|問題|必要|機能|能力|こと|方法|情報|権限)[はがも](?:ありません|ない|見え|見つか|確認でき)",
)
_KOREAN = (
    r"(?<!수 )(?:없습니다|없어요|없음|없다)",
    r"(?:존재하지|보이지|발견되지|감지되지|검출되지|나타나지|있지) 않",
    r"찾을 수 없|찾지 못|발견하지 못|발견할 수 없",
)
_KOREAN_EXCUSES = (r"(?:이미지|사진|문제|여지|권한|능력|기능|정보|의심)[가이을를는은도]? ?(?:없|보이지 않|찾을 수 없)",)
_GERMAN = (
    r"^kein(?:e[nrms]?)? (?:[\w-]+ ){0,4}[\w-]+\W*$",
    r"\b(?:gibt es|es gibt|sehe ich|ich sehe|enthält|zeigt|erkenne|finde) (?:\w+ ){0,4}?kein(?:e[nrms]?)? \w",
    r"\b(?:ist|sind|befinde[nt] sich|konnte|kann|habe|wurden?) (?:\w+ ){0,4}?kein(?:e[nrms]?)? (?:[\w-]+ ){1,4}?"
    r"(?:zu sehen|sehen|finden|erkennen|entdecken|gefunden|vorhanden|sichtbar|zu finden|auf dem|in dem|im)\b",
    r"\b(?:im|auf dem|in dem) (?:bild|foto) (?:ist|sind) kein(?:e[nrms]?)? (?:[\w-]+ ){0,2}[\w-]+$",
    r"\bnicht (?:zu sehen|sichtbar|vorhanden|zu finden|gefunden|im bild|auf dem (?:bild|foto)|abgebildet|enthalten"
    r"|zu erkennen)\b",
    r"\bexistier(?:t|en) (?:\w+ ){0,3}nicht\b|\bnichts gefunden\b",
)
_GERMAN_EXCUSES = (
    r"\bkein(?:e[nrms]?)? (?:problem|zweifel|ahnung|frage|bilde?r?\b|fotos?\b|antwort|zugriff|möglich|begrenzung"
    r"|bounding|box|rahmen|koordinaten|fähigkeit)",
)
_FRENCH = (
    r"\bil n'?y (?:a|en a) (?:pas|aucune?|point)\b",
    r"^(?:aucune?|pas de|pas d') ?(?:[\w'-]+ ){0,7}[\w'-]+\W*$",
    r"\b(?:je ne|on ne|je n'arrive|je n'ai|on n'a) ?(?:pas )?(?:peux |parviens |arrive )?(?:pas |à )*"
    r"(?:vois|voit|voir|trouve|trouver|trouvé|détecte|détecté|distingue|vu)\b ?(?:pas|aucune?|de|d'|le |la |l'|un)",
    r"\bn'(?:est|était) pas (?:visible|présente?|dans l|sur l|représent)|\bn'(?:apparaît|existe) pas\b",
    r"\bintrouvable\b|\bne (?:contient|montre|comporte) (?:pas|aucune?)\b|\bn'a (?:pas )?été (?:trouv|détect)",
)
_FRENCH_EXCUSES = (
    r"(?:pas|aucune?) ?(?:de |d'|l'|la |cette |votre )?(?:image|photo|problème|doute|souci|idée|réponse)",
)
_SPANISH = (
    r"\bno hay \w|\bno (?:se )?(?:veo|ve|ven|encuentro|encuentra|encontré|encontró|observa|observo|detecta|detectó"
    r"|aprecia|aparece|existe|está presente|contiene|muestra|es visible|está visible|está en la)\b",
    r"\bno (?:puedo|pude|logro|logré) (?:ver|encontrar|localizar|detectar)\b|^ning(?:ún|una|uno)\b|\bestá ausente\b",
)
_SPANISH_EXCUSES = (
    r"\b(?:no (?:hay|veo|encuentro|puedo ver)|ning(?:ún|una)) (?:la |ninguna |ningún |una )?"
    r"(?:imagen|foto|problema|duda)\b",
    r"^no puedo (?!ver|encontrar|localizar|detectar).*",
)
_PORTUGUESE = (
    r"\bnão há \w|\bnão (?:se )?(?:existe|vejo|vê|aparece|encontrei|encontro|foi encontrad\w+|foi detectad\w+"
    r"|está presente|está na|contém|mostra|é visível|está visível|tem)\b",
    r"\bnão (?:consigo|consegui|pude) (?:ver|encontrar|localizar|detectar)\b|^nenhuma?\b",
)
_PORTUGUESE_EXCUSES = (
    r"\b(?:não (?:há|vejo|tem|encontrei|consigo ver)|nenhuma?) (?:a |nenhuma |uma )?(?:imagem|foto|problema|dúvida)\b",
)
_RUSSIAN = (
    r"\b(?:на|в) (?:\w+ ){1,3}?нет \w|^(?:здесь )?нет(?: \w+){0,5}\W*$|^(?:\w+ ){1,4}нет\W*$|отсутству",
    r"\bне (?:найден\w*|обнаружен\w*|видно|виден|видна|вижу|нашёл|нашел|нашла|удалось (?:найти|обнаружить)"
    r"|присутству\w+|существу\w+|содержит)",
)
_RUSSIAN_EXCUSES = (r"(?:нет|не вижу|не найден\w*) (?:проблем|сомнени|возможност|доступ|изображени|картин)\w*",)
_ARABIC = (
    r"لا (?:يوجد|توجد|أرى|ارى|يظهر|تظهر|يحتوي|تحتوي|يمكنني (?:رؤية|العثور))",
    r"لم (?:يتم العثور|أجد|اجد|أتمكن من العثور)|غير (?:موجود|مرئي|ظاهر)|ليس هناك|ليست? في الصورة|^لا شيء",
)
_ARABIC_EXCUSES = (r"لا (?:يوجد|توجد|أرى|ارى|يمكنني رؤية) (?:شك|مشكلة|(?:أي )?(?:ال)?صورة)",)
_HINDI = (
    r"कोई .{1,40}?नहीं (?:है|हैं|था|दिख|मिल)|(?:मौजूद|उपस्थित|दिखाई) नहीं|नहीं (?:मिल|दिख)",
    r"(?:तस्वीर|छवि|चित्र) में .{1,30}?नहीं (?:है|हैं)",
)
_HINDI_EXCUSES = (r"कोई (?:संदेह|समस्या|छवि|तस्वीर) नहीं(?: \w+)*",)

DENIALS = (
    *_ENGLISH, *_CHINESE, *_JAPANESE, *_KOREAN, *_GERMAN, *_FRENCH, *_SPANISH, *_PORTUGUESE, *_RUSSIAN, *_ARABIC,
    *_HINDI,
)  # fmt: skip
EXCUSES = (
    *_ENGLISH_EXCUSES, *_CHINESE_EXCUSES, *_JAPANESE_EXCUSES, *_KOREAN_EXCUSES, *_GERMAN_EXCUSES, *_FRENCH_EXCUSES,
    *_SPANISH_EXCUSES, *_PORTUGUESE_EXCUSES, *_RUSSIAN_EXCUSES, *_ARABIC_EXCUSES, *_HINDI_EXCUSES,
)  # fmt: skip
