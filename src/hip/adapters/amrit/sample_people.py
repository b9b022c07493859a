"""Invented patients, staff and what brings them: the vocabulary of the sample database."""

FIRST_NAMES = {
    "Male": ("Arjun", "Ravi", "Suresh", "Imran", "Mahesh", "Gurpreet", "Thomas", "Bikash", "Karthik", "Yusuf"),
    "Female": ("Meera", "Lakshmi", "Fatima", "Sunita", "Ananya", "Harpreet", "Mary", "Rina", "Kavitha", "Asha"),
    "Transgender": ("Jaya", "Kiran", "Roshni"),
}
LAST_NAMES = ("Kulkarni", "Reddy", "Khan", "Sharma", "Das", "Singh", "Varghese", "Patil", "Murugan", "Bora", "Ansari")
PLACES = (("Assam", "Kamrup"), ("Bihar", "Gaya"), ("Karnataka", "Raichur"), ("Kerala", "Wayanad"), ("Punjab", "Moga"))
STAFF = (
    (11, "Dr Nandini Rao", "EMP-11", "MBBS", "Medical Officer"),
    (12, "Dr Sameer Joshi", "EMP-12", "MD", "Specialist"),
    (13, "Deepa Nair", "EMP-13", "GNM", "Nurse"),
)
CATEGORIES = (
    "General OPD",
    "GENERAL OPD (QC)",
    "NCD screening",
    "ANC",
    "PNC",
    "Cancer Screening",
    "COVID-19 Screening",
)
COMPLAINTS = (
    ("Fever", "386661006"),
    ("Cough", "49727002"),
    ("Headache", "25064002"),
    ("Abdominal pain", "21522001"),
    ("Joint pain", None),
    ("Giddiness", "N/A"),
)
DIAGNOSES = (
    ("Viral fever", "34014006"),
    ("Essential hypertension", "59621000"),
    ("Type 2 diabetes mellitus", "44054006"),
    ("Anaemia,Scabies", "271737000,128869009"),
    ("Hypertension", None),
    ("Fracture, open", "397181002"),
)
DRUGS = (
    ("Paracetamol", "500 mg", "Tablet", "1 tablet", "TDS", "Oral", "387517004", "Paracetamol"),
    ("Amlodipine", "5 mg", "Tablet", "1 tablet", "OD", "Oral", "386864001", "Amlodipine"),
    ("Metformin", "500 mg", "Tablet", "1 tablet", "BD", "Oral", "372567009", "Metformin"),
    ("Oral rehydration salts", "21 g", "Powder", "1 sachet", "SOS", "Oral", None, None),
    ("Amoxicillin", "250 mg/5 ml", "Syrup", "5 ml", "1-1-1", "oral", "372687004", "Amoxicillin"),
)
TESTS = (
    ((1, "Haemoglobin"), ((101, "Hemoglobin", "718-7", "Hemoglobin", "g/dL", 12, 16, 6, 17),)),
    ((2, "Blood glucose"), ((102, "Fasting glucose", "1558-6", "Fasting glucose", "mg/dL", 70, 110, 60, 300),)),
    (
        (3, "Renal function"),
        (
            (103, "Creatinine", "2160-0", "Creatinine", "mg/dL", 0.6, 1.2, 0.4, 5),
            (104, "Urea", None, None, "mg/dL", 15, 40, 10, 120),
        ),
    ),
    ((4, "Malaria rapid test"), ((105, "Malaria antigen", None, None, None, 0, 0, None, None),)),
)
ALLERGIES = (
    ("Food", "91935009", "Allergy to peanut", "Rash, Itching"),
    ("Medication", "91936005", "Allergy to penicillin", "Swelling"),
    ("Environmental", None, "Dust", None),
)
FAMILY = (("Father, Mother", "73211009", "Diabetes mellitus"), ("Grand Father", "38341003", "Hypertension"))
VACCINES = (("BCG", "At birth", "836379002"), ("OPV-1", "6 weeks", None), ("Pentavalent-1", "6 weeks", None))
