package sendapi_test

import "github.com/sendpace/sendpace/sendapi"

func flight() sendapi.FlightInfo {
	return sendapi.FlightInfo{
		ConnectionID: "c1", SegmentID: "s1", FlightNumber: "KL9123", AircraftType: "Boeing 737", TravelClass: "business",
		DepartureAirport: &sendapi.Airport{AirportCode: "SFO", City: "San Francisco", Terminal: "T4", Gate: "G8"},
		ArrivalAirport:   &sendapi.Airport{AirportCode: "AMS", City: "Amsterdam", Terminal: "T1", Gate: "D1"},
		FlightSchedule: &sendapi.FlightSchedule{
			BoardingTime: "2026-11-24T09:45", DepartureTime: "2026-11-24T10:30", ArrivalTime: "2026-11-25T06:10",
		},
	}
}

func goldenAirline() map[string]goldenRow {
	one := flight()
	old := func(name string, p sendapi.Payload) goldenRow {
		return goldenRow{req: structured(p), problems: []string{payload + ".template_type: " + name + of2018}}
	}
	return map[string]goldenRow{
		"airline_boardingpass": old("airline_boardingpass", &sendapi.BoardingPassTemplate{
			IntroMessage: "You are checked in.", Locale: "en_US", ThemeColor: "#009ddc",
			BoardingPass: []sendapi.BoardingPass{{
				PassengerName: "Ann Lee", PNRNumber: "CG4X7U", TravelClass: "economy", Seat: "74J",
				AuxiliaryFields: []sendapi.PassField{{Label: "Terminal", Value: "T1"}},
				SecondaryFields: []sendapi.PassField{{Label: "Sec.", Value: "003"}},
				LogoImageURL:    "https://example.com/logo.png", HeaderImageURL: "https://example.com/header.png",
				HeaderTextField: &sendapi.PassField{Label: "Group", Value: "A"}, QRCode: "M1LEE/ANN",
				AboveBarCodeImageURL: "https://example.com/above.png", FlightInfo: &one,
			}},
		}),
		"airline_checkin": old("airline_checkin", &sendapi.CheckinTemplate{
			IntroMessage: "Check in now.", Locale: "en_US", PNRNumber: "CG4X7U", CheckinURL: "https://example.com/in",
			FlightInfo: []sendapi.FlightInfo{flight()},
		}),
		"airline_itinerary": old("airline_itinerary", &sendapi.ItineraryTemplate{
			IntroMessage: "Your flight.", Locale: "en_US", ThemeColor: "#009ddc", PNRNumber: "CG4X7U",
			PassengerInfo: []sendapi.PassengerInfo{{PassengerID: "p1", TicketNumber: "0741234567890", Name: "Ann Lee"}},
			FlightInfo:    []sendapi.FlightInfo{flight()},
			PassengerSegmentInfo: []sendapi.PassengerSegmentInfo{{
				SegmentID: "s1", PassengerID: "p1", Seat: "73A", SeatType: "World Business",
				ProductInfo: []sendapi.ProductInfo{{Title: "Lounge", Value: "Complimentary access"}},
			}},
			PriceInfo: []sendapi.PriceInfo{{Title: "Fuel surcharge", Amount: "1597", Currency: "USD"}},
			BasePrice: "12206", Tax: "200", TotalPrice: "14003.00", Currency: "USD",
		}),
		"airline_update": old("airline_update", &sendapi.FlightUpdateTemplate{
			IntroMessage: "Your flight is late.", ThemeColor: "#009ddc", UpdateType: "delay", Locale: "en_US",
			PNRNumber: "CG4X7U", UpdateFlightInfo: &one,
		}),
	}
}
