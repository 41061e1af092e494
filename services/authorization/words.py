# ruff: noqa: E501, RUF001 - one line for one term in all languages, each with its own marks
"""The words of the published pages, in the languages of the country and in English. Pure."""

from collections.abc import Mapping

NATIVE = {"fr": "Français", "nl": "Nederlands", "de": "Deutsch", "en": "English"}

_ROWS = (
    # key, fr, nl, de, en
    ("site", "Autorisations publiées", "Gepubliceerde machtigingen", "Veröffentlichte Ermächtigungen", "Published authorizations"),
    ("lead", "Quelles données sociales peuvent être communiquées, à qui, par qui et pourquoi. Sans autorisation publiée, aucun échange n’a lieu.", "Welke sociale gegevens meegedeeld mogen worden, aan wie, door wie en waarom. Zonder gepubliceerde machtiging is er geen uitwisseling.", "Welche Sozialdaten mitgeteilt werden dürfen, wem, von wem und warum. Ohne veröffentlichte Ermächtigung gibt es keinen Austausch.", "Which social-security data may be passed on, to whom, by whom and why. Without a published authorization there is no exchange."),
    ("skip", "Aller au contenu", "Naar de inhoud", "Zum Inhalt", "Skip to content"),
    ("language", "Langue", "Taal", "Sprache", "Language"),
    ("deliberations", "Délibérations", "Beraadslagingen", "Beschlüsse", "Deliberations"),
    ("deliberation", "Délibération", "Beraadslaging", "Beschluss", "Deliberation"),
    ("institutions", "Institutions", "Instellingen", "Einrichtungen", "Institutions"),
    ("institution", "Institution", "Instelling", "Einrichtung", "Institution"),
    ("number", "Numéro", "Nummer", "Nummer", "Number"),
    ("title", "Objet", "Onderwerp", "Gegenstand", "Subject"),
    ("decided", "Décidée le", "Beslist op", "Beschlossen am", "Decided on"),
    ("published", "Publiée le", "Gepubliceerd op", "Veröffentlicht am", "Published on"),
    ("entry", "En vigueur depuis", "In werking sinds", "In Kraft seit", "In force since"),
    ("chamber", "Chambre", "Kamer", "Kammer", "Chamber"),
    ("SOCIAL_SECURITY_AND_HEALTH", "Sécurité sociale et santé", "Sociale zekerheid en gezondheid", "Soziale Sicherheit und Gesundheit", "Social security and health"),
    ("FEDERAL_AUTHORITY", "Autorité fédérale", "Federale overheid", "Föderalbehörde", "Federal authority"),
    ("state", "État", "Toestand", "Stand", "State"),
    ("PUBLISHED", "Publiée", "Gepubliceerd", "Veröffentlicht", "Published"),
    ("SUSPENDED", "Suspendue", "Geschorst", "Ausgesetzt", "Suspended"),
    ("WITHDRAWN", "Retirée", "Ingetrokken", "Zurückgezogen", "Withdrawn"),
    ("EXPIRED", "Échue", "Verstreken", "Abgelaufen", "Expired"),
    ("version", "Version", "Versie", "Fassung", "Version"),
    ("text", "Texte", "Tekst", "Text", "Text"),
    ("notext", "Le texte n’est pas repris dans ce registre.", "De tekst is niet in dit register opgenomen.", "Der Text ist in diesem Register nicht enthalten.", "The text is not held in this register."),
    ("missing", "Manque", "Ontbreekt", "Fehlt", "Missing"),
    ("grants", "Ce qui est autorisé", "Wat gemachtigd is", "Was erlaubt ist", "What is authorized"),
    ("bans", "Ce qui est interdit", "Wat verboden is", "Was verboten ist", "What is prohibited"),
    ("gets", "Ce que l’institution peut obtenir", "Wat de instelling mag krijgen", "Was die Einrichtung erhalten darf", "What the institution may get"),
    ("none", "Rien pour le moment.", "Momenteel niets.", "Zurzeit nichts.", "Nothing at present."),
    ("scope", "Ce que le texte permet au plus", "Wat de tekst hoogstens toelaat", "Was der Text höchstens zulässt", "What the text allows at most"),
    ("end", "Jusqu’au", "Tot", "Bis", "Until"),
    ("past", "Ce qui n’est plus en vigueur", "Wat niet meer van kracht is", "Was nicht mehr gilt", "What is no longer in force"),
    ("recipient", "Destinataire", "Bestemmeling", "Empfänger", "Recipient"),
    ("everybody", "Toutes les institutions", "Alle instellingen", "Alle Einrichtungen", "All institutions"),
    ("from", "Auprès de", "Bij", "Von", "From"),
    ("what", "Données", "Gegevens", "Daten", "Data"),
    ("why", "Finalité", "Doel", "Zweck", "Purpose"),
    ("basis", "Base légale", "Rechtsgrond", "Rechtsgrundlage", "Legal basis"),
    ("terms", "Conditions", "Voorwaarden", "Bedingungen", "Terms"),
    ("all", "Toutes", "Alle", "Alle", "All"),
    ("service", "Service", "Dienst", "Dienst", "Service"),
    ("application", "Application", "Toepassing", "Anwendung", "Application"),
    ("caller", "La personne est connue du destinataire comme", "De persoon is bij de bestemmeling gekend als", "Die Person ist dem Empfänger bekannt als", "The person is known to the recipient as"),
    ("source", "La personne est connue de la source comme", "De persoon is bij de bron gekend als", "Die Person ist der Quelle bekannt als", "The person is known to the source as"),
    ("phase", "phase", "fase", "Phase", "phase"),
    ("back", "Au plus {} jours en arrière", "Hoogstens {} dagen terug", "Höchstens {} Tage zurück", "At most {} days back"),
    ("span", "Au plus {} jours par demande", "Hoogstens {} dagen per vraag", "Höchstens {} Tage je Anfrage", "At most {} days in one question"),
    ("volume", "Au plus {} demandes par jour", "Hoogstens {} vragen per dag", "Höchstens {} Anfragen am Tag", "At most {} questions a day"),
    ("open", "Un dossier manquant est signalé, sans refus", "Een ontbrekend dossier wordt gemeld, niet geweigerd", "Eine fehlende Akte wird gemeldet, nicht abgelehnt", "A missing file is flagged, not refused"),
    ("online", "en ligne", "online", "online", "online"),
    ("asynchronous", "en différé", "uitgesteld", "zeitversetzt", "asynchronous"),
    ("event", "par événement", "bij gebeurtenis", "bei Ereignis", "on events"),
    ("batch", "par fichier", "per bestand", "als Datei", "in batches"),
    ("since", "depuis le {}", "sinds {}", "seit {}", "since {}"),
    ("begins", "à partir du {}", "vanaf {}", "ab {}", "from {}"),
    ("until", "jusqu’au {}", "tot {}", "bis {}", "until {}"),
    ("off", "retirée le {}", "ingetrokken op {}", "zurückgenommen am {}", "taken back on {}"),
    ("count", "En vigueur", "Van kracht", "In Kraft", "In force"),
    ("data", "Les mêmes autorisations, lisibles par une machine", "Dezelfde machtigingen, leesbaar voor een machine", "Dieselben Ermächtigungen, maschinenlesbar", "The same authorizations, for machines to read"),
    ("proof", "Version {} de la table, empreinte SHA-256", "Versie {} van de tabel, SHA-256-vingerafdruk", "Fassung {} der Tabelle, SHA-256-Prüfsumme", "Version {} of the table, SHA-256 digest"),
    ("asof", "État au {}", "Toestand op {}", "Stand vom {}", "As of {}"),
    ("home", "Toutes les autorisations", "Alle machtigingen", "Alle Ermächtigungen", "All authorizations"),
)  # fmt: skip

WORDS: Mapping[str, Mapping[str, str]] = {
    language: {row[0]: row[place] for row in _ROWS}
    for place, language in enumerate(("fr", "nl", "de", "en"), 1)
}
